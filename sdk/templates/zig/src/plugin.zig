//! The plugin {{name}}: two actions to start from.

const std = @import("std");
const runwright = @import("runwright.zig");

const Person = struct { name: []const u8 };

fn greet(call: runwright.Call, input: Person) !runwright.Answer {
    const name = std.mem.trim(u8, input.name, " ");
    if (name.len == 0) return call.fail(.@"invalid-input", "name is empty", .{});
    return call.unchanged(.{ .text = try call.print("Hello, {s}!", .{input.name}) });
}

const Span = struct { to: u32, @"fail-at": u32 = 0 };

/// How an action fails says what remains of it: see Kind in runwright.zig.
fn count(call: runwright.Call, input: Span) !runwright.Answer {
    if (input.to > 100) return call.fail(.permanent, "{d} is more than this plugin can count", .{input.to});
    for (1..input.to + 1) |number| {
        if (number == input.@"fail-at") return call.fail(.partial, "stopped at {d} of {d}", .{ number, input.to });
        try call.log("attempt {d}: counted {d}", .{ call.context.attempt, number });
    }
    return call.changed(.{ .counted = input.to });
}

const plugin: runwright.Plugin = .{
    .name = "{{name}}",
    .version = "0.1.0",
    .summary = "Greets and counts",
    .actions = &.{
        .{
            .name = "greet",
            .summary = "Greets somebody",
            .effect = .read,
            .run = runwright.typed(Person, greet),
            .input =
            \\{"type": "object", "additionalProperties": false, "required": ["name"],
            \\ "properties": {"name": {"type": "string", "description": "Who is greeted"}}}
            ,
            .output =
            \\{"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
            ,
        },
        .{
            .name = "count",
            .summary = "Counts, and shows how an action fails",
            .effect = .idempotent,
            .run = runwright.typed(Span, count),
            .input =
            \\{"type": "object", "additionalProperties": false, "required": ["to"],
            \\ "properties": {"to": {"type": "integer", "minimum": 1}, "fail-at": {"type": "integer", "minimum": 1}}}
            ,
            .output =
            \\{"type": "object", "required": ["counted"], "properties": {"counted": {"type": "integer"}}}
            ,
        },
    },
};

pub fn main(init: std.process.Init) !void {
    try plugin.serve(init);
}
