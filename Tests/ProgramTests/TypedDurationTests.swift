// SPDX-License-Identifier: Apache-2.0

import Program
import Testing

@Suite("Times as people type them")
struct TypedDurationTests {
    @Test(
        "A time has a unit, or is seconds",
        arguments: [
            ("30", 30_000), ("0", 0), ("30s", 30_000), ("500ms", 500), ("1m", 60_000), ("2h", 7_200_000),
            ("7d", 604_800_000),
        ]
    )
    func times(text: String, milliseconds: Int64) {
        #expect(TypedDuration(text)?.milliseconds == milliseconds)
    }

    @Test(
        "What is no time is none",
        arguments: ["", "s", "-1", "+1", "-1s", "1.5s", "1 m", "1min", "m1", "ms", "9999999999999999d"]
    )
    func noTimes(text: String) {
        #expect(TypedDuration(text) == nil)
    }

    @Test(
        "It is written in the largest unit of which it is a whole number",
        arguments: [(0, "0ms"), (500, "500ms"), (2000, "2s"), (90_000, "90s"), (3_600_000, "1h"), (172_800_000, "2d")]
            as [(Int64, String)]
    )
    func texts(milliseconds: Int64, text: String) {
        #expect(TypedDuration(milliseconds: milliseconds).text == text)
    }

    @Test("What a setting of whole seconds or hours has to be is said in one sentence")
    func requirements() {
        #expect(
            TypedDuration.requirement(of: .seconds, in: 1...60)
                == "a number of seconds from 1 to 60, or a time as 30s or 5m"
        )
        #expect(
            TypedDuration.requirement(of: .hours, in: 1...72)
                == "a number of hours from 1 to 72, or a time as 12h or 3d"
        )
        #expect(TypedDuration("1d")?.whole(.hours) == 24)
        #expect(TypedDuration("1m")?.whole(.seconds) == 60)
    }

    @Test("A part of a second is no whole number of them, and neither is one of an hour")
    func wholes() {
        #expect(TypedDuration("1m")?.wholeSeconds == 60)
        #expect(TypedDuration("500ms")?.wholeSeconds == nil)
        #expect(TypedDuration("2000ms")?.wholeSeconds == 2)
        #expect(TypedDuration("3d")?.wholeHours == 72)
        #expect(TypedDuration("90m")?.wholeHours == nil)
    }
}
