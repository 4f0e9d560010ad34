// The parts of the engine that the world in wit/ imports, as componentize-qjs gives them. Add a part here when you add an
// import there.

declare module "runwright:plugin/log@0.1.0" {
  type Level = "trace" | "debug" | "info" | "warn" | "error";
  const log: {
    log(level: Level, message: string): void;
    progress(percent: number | null, note: string): void;
  };
  export default log;
}

declare module "runwright:plugin/clock@0.1.0" {
  const clock: {
    nowMs(): number;
    sleepMs(ms: number): boolean;
    cancelled(): boolean;
  };
  export default clock;
}
