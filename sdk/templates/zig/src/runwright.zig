//! What a plugin in Zig is made of. You need not change this file; `src/plugin.zig` is yours.
//!
//! The engine starts the program anew for each call, writes one JSON request to its standard input, and reads one JSON
//! response from its standard output. Lines on standard error are the step's log. Nothing needs to be freed.

const std = @import("std");
const json = std.json;

/// What one attempt of an action may do to the outside world.
pub const Effect = enum {
    /// Only reads: always safe to repeat.
    read,
    /// Writes; repeating with the same key is safe.
    idempotent,
    /// Writes; repeating may act twice: the engine never repeats it blindly.
    unsafe,
};

/// What remains of an attempt that failed: it decides what the engine does next.
pub const Kind = enum {
    /// The input is wrong. Nothing happened.
    @"invalid-input",
    /// A permission was refused. Nothing happened.
    denied,
    /// Nothing happened; it may work later: the step is tried again.
    transient,
    /// Nothing happened, and it will not work later.
    permanent,
    /// It failed on the way; effects may remain: undo applies.
    partial,
    /// The effect may or may not have happened: the engine asks verify, or a person.
    @"unknown-outcome",
    /// Cancelled before anything happened.
    cancelled,
    /// There is no such action, or it has not this verb.
    @"unknown-action",
};

/// A success: what later steps see, whether anything outside is different now, and what undo gets back (no secrets).
pub const Outcome = struct { output: json.Value, changed: bool, @"undo-data": ?[]const u8 = null };

/// How an action ended. An error that a function returns instead counts as unknown-outcome.
pub const Answer = union(enum) {
    ok: Outcome,
    /// Only of plan: what would be done.
    preview: struct { summary: []const u8 },
    /// Only of verify: what is known of the attempt whose answer was lost.
    verdict: union(enum) { happened: Outcome, @"not-happened", @"cannot-tell": []const u8 },
    @"error": struct {
        kind: Kind,
        /// For people; never a secret in it.
        message: []const u8,
        /// For machines, such as "http.429".
        code: ?[]const u8 = null,
        /// Of transient: when it may work.
        @"retry-after-ms": ?u32 = null,
    },
};

/// What the engine says about a call; the names are those of the request.
pub const Context = struct {
    run: []const u8,
    step: []const u8,
    /// Counts from 1.
    attempt: u32,
    /// The same for every attempt of this step.
    @"idempotency-key": []const u8,
    @"deadline-ms": ?u32 = null,
    target: ?[]const u8 = null,
    /// This plugin's part of runwright.toml.
    config: json.Value = .null,
};

/// One call of an action.
pub const Call = struct {
    context: Context,
    /// For undo: what run left for it.
    undo_data: ?[]const u8,
    memory: std.mem.Allocator,
    io: std.Io,

    /// Success, and something outside is different now. `output` is anything that has a JSON form.
    pub fn changed(call: Call, output: anytype) !Answer {
        return .{ .ok = .{ .output = try call.value(output), .changed = true } };
    }

    /// Success, and all is as it was.
    pub fn unchanged(call: Call, output: anytype) !Answer {
        return .{ .ok = .{ .output = try call.value(output), .changed = false } };
    }

    /// A failure of this kind.
    pub fn fail(call: Call, kind: Kind, comptime format: []const u8, arguments: anytype) !Answer {
        return .{ .@"error" = .{ .kind = kind, .message = try call.print(format, arguments) } };
    }

    /// The text that `format` makes.
    pub fn print(call: Call, comptime format: []const u8, arguments: anytype) ![]const u8 {
        return std.fmt.allocPrint(call.memory, format, arguments);
    }

    /// Writes a line to the step's log.
    pub fn log(call: Call, comptime format: []const u8, arguments: anytype) !void {
        var err = std.Io.File.stderr().writer(call.io, &.{});
        try err.interface.writeAll(try call.print(format ++ "\n", arguments));
    }

    fn value(call: Call, output: anytype) !json.Value {
        const text = try json.Stringify.valueAlloc(call.memory, output, .{});
        return json.parseFromSliceLeaky(json.Value, call.memory, text, .{});
    }
};

/// One action. Its functions take the call and the input as a struct of yours: `fn (Call, Input) !Answer`.
pub const Action = struct {
    name: []const u8,
    summary: []const u8,
    effect: Effect,
    /// JSON Schemas; the engine checks input and output against them.
    input: []const u8,
    output: []const u8,
    run: *const Function,
    /// Answers a preview, and changes nothing.
    plan: ?*const Function = null,
    /// Answers a verdict.
    verify: ?*const Function = null,
    undo: ?*const Function = null,
    destructive: bool = false,
    undo_safe_if_not_run: bool = false,
};

const Function = fn (Call, json.Value) anyerror!Answer;

/// Makes a function over a struct of yours one over JSON.
pub fn typed(comptime Input: type, comptime function: fn (Call, Input) anyerror!Answer) *const Function {
    return struct {
        fn call(made: Call, value: json.Value) anyerror!Answer {
            const options: json.ParseOptions = .{ .ignore_unknown_fields = true };
            const input = json.parseFromValueLeaky(Input, made.memory, value, options) catch |fault|
                return made.fail(.@"invalid-input", "the input does not fit: {t}", .{fault});
            return function(made, input);
        }
    }.call;
}

/// The plugin.
pub const Plugin = struct {
    name: []const u8,
    version: []const u8,
    summary: []const u8,
    actions: []const Action,

    /// Reads the request, answers it.
    pub fn serve(plugin: Plugin, init: std.process.Init) !void {
        const memory = init.arena.allocator();
        var buffer: [4096]u8 = undefined;
        var in = std.Io.File.stdin().reader(init.io, &buffer);
        const request = try in.interface.allocRemaining(memory, .limited(16 << 20));
        const response = try plugin.answer(memory, init.io, request);
        var out = std.Io.File.stdout().writer(init.io, &.{});
        try out.interface.writeAll(response);
    }

    const Request = struct {
        op: enum { describe, plan, run, verify, undo },
        action: []const u8 = "",
        input: json.Value = .null,
        @"undo-data": ?[]const u8 = null,
        context: Context = .{ .run = "", .step = "", .attempt = 1, .@"idempotency-key" = "" },
    };

    fn answer(plugin: Plugin, memory: std.mem.Allocator, io: std.Io, text: []const u8) ![]const u8 {
        const request = try json.parseFromSliceLeaky(Request, memory, text, .{ .ignore_unknown_fields = true });
        if (request.op == .describe) return plugin.describe(memory);
        const call: Call = .{ .context = request.context, .undo_data = request.@"undo-data", .memory = memory, .io = io };
        const function = plugin.find(request) orelse {
            const unknown = try call.fail(.@"unknown-action", "{s}", .{request.action});
            return json.Stringify.valueAlloc(memory, unknown, .{});
        };
        const answered = function(call, request.input) catch |fault|
            try call.fail(.@"unknown-outcome", "a fault of the plugin: {t}", .{fault});
        return switch (answered) {
            .preview => |preview| json.Stringify.valueAlloc(memory, .{ .ok = preview }, .{}),
            .verdict => |verdict| switch (verdict) {
                .@"not-happened" =>
                \\{"ok":"not-happened"}
                ,
                else => json.Stringify.valueAlloc(memory, .{ .ok = verdict }, .{}),
            },
            else => json.Stringify.valueAlloc(memory, answered, .{}),
        };
    }

    fn find(plugin: Plugin, request: Request) ?*const Function {
        for (plugin.actions) |action| {
            if (!std.mem.eql(u8, action.name, request.action)) continue;
            return switch (request.op) {
                .run => action.run,
                .verify => action.verify,
                .undo => action.undo,
                .plan => action.plan,
                .describe => null,
            };
        }
        return null;
    }

    fn describe(plugin: Plugin, memory: std.mem.Allocator) ![]const u8 {
        const Info = struct {
            name: []const u8,
            summary: []const u8,
            effect: Effect,
            @"input-schema": json.Value,
            @"output-schema": json.Value,
            destructive: bool,
            @"has-plan": bool,
            @"has-verify": bool,
            @"has-undo": bool,
            @"undo-safe-if-not-run": bool,
        };
        const infos = try memory.alloc(Info, plugin.actions.len);
        for (infos, plugin.actions) |*info, action| info.* = .{
            .name = action.name,
            .summary = action.summary,
            .effect = action.effect,
            .@"input-schema" = try json.parseFromSliceLeaky(json.Value, memory, action.input, .{}),
            .@"output-schema" = try json.parseFromSliceLeaky(json.Value, memory, action.output, .{}),
            .destructive = action.destructive,
            .@"has-plan" = action.plan != null,
            .@"has-verify" = action.verify != null,
            .@"has-undo" = action.undo != null,
            .@"undo-safe-if-not-run" = action.undo_safe_if_not_run,
        };
        const facts = .{ .name = plugin.name, .version = plugin.version, .summary = plugin.summary, .actions = infos };
        return json.Stringify.valueAlloc(memory, .{ .ok = facts }, .{});
    }
};
