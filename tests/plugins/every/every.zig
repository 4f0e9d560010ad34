//! All that an action can answer.

const std = @import("std");
const runwright = @import("runwright.zig");

const Say = struct { say: []const u8 };

fn run(call: runwright.Call, input: Say) !runwright.Answer {
    if (std.mem.eql(u8, input.say, "outcome")) {
        const attempt = try call.print("{d}", .{call.context.attempt});
        const key = call.context.config.object.get("key").?.string;
        var answer = try call.changed(.{ .said = .{ call.context.step, attempt, key, "True", "False" } });
        answer.ok.@"undo-data" = "kept";
        return answer;
    }
    const kind = std.meta.stringToEnum(runwright.Kind, input.say) orelse return error.Odd;
    var answer = try call.fail(kind, "as asked", .{});
    answer.@"error".code = "test.code";
    answer.@"error".@"retry-after-ms" = 1500;
    return answer;
}

fn plan(call: runwright.Call, input: Say) !runwright.Answer {
    return .{ .preview = .{ .summary = try call.print("would say {s}", .{input.say}) } };
}

fn verify(call: runwright.Call, input: Say) !runwright.Answer {
    if (std.mem.eql(u8, input.say, "outcome")) {
        const answer = try call.changed(.{ .said = .{"before"} });
        return .{ .verdict = .{ .happened = answer.ok } };
    }
    if (std.mem.eql(u8, input.say, "nothing")) return .{ .verdict = .@"not-happened" };
    return .{ .verdict = .{ .@"cannot-tell" = "nobody knows" } };
}

fn undo(call: runwright.Call, _: Say) !runwright.Answer {
    return call.changed(.{ .undone = call.undo_data });
}

const say =
    \\{"type": "object", "required": ["say"], "properties": {"say": {"type": "string"}}}
;
const anything =
    \\{"type": "object"}
;

const plugin: runwright.Plugin = .{
    .name = "hello",
    .version = "0.1.0",
    .summary = "Says everything",
    .actions = &.{
        .{
            .name = "every",
            .summary = "Says what it is asked to",
            .effect = .unsafe,
            .input = say,
            .output = anything,
            .run = runwright.typed(Say, run),
            .plan = runwright.typed(Say, plan),
            .verify = runwright.typed(Say, verify),
            .undo = runwright.typed(Say, undo),
            .destructive = true,
            .undo_safe_if_not_run = true,
        },
        .{
            .name = "plain",
            .summary = "Has nothing but run",
            .effect = .read,
            .input = say,
            .output = anything,
            .run = runwright.typed(Say, run),
        },
    },
};

pub fn main(init: std.process.Init) !void {
    try plugin.serve(init);
}
