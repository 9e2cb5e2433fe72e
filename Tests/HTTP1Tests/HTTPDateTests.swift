// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import Testing

@testable import HTTP1

@Suite("Dates")
struct HTTPDateTests {
    private func text(_ seconds: Int) -> String {
        String(buffer: HeadWriter.head(room: 29, HTTPDate(seconds: seconds).write))
    }

    @Test(
        "A time is written as RFC 9110 §5.6.7 has it",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ]
    )
    func examples(_ seconds: Int, _ text: String) {
        #expect(self.text(seconds) == text)
    }

    @Test("Every day of two centuries is the one that the calendar has")
    func calendar() {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        for day in stride(from: 0, to: 73_000, by: 7) {
            let seconds = day * 86_400 + day % 86_400
            #expect(self.text(seconds) == formatter.string(from: Date(timeIntervalSince1970: TimeInterval(seconds))))
        }
    }

    @Test("A time that was written is read again")
    func readAgain() {
        for day in stride(from: 0, to: 73_000, by: 11) {
            let seconds = day * 86_400 + day * 37 % 86_400
            #expect(HTTPDate(self.text(seconds))?.seconds == seconds)
        }
    }

    @Test(
        "What is no time of that form is none",
        arguments: [
            "", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49 GMT", "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 08:49:37: GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        ]
    )
    func malformed(_ text: String) {
        #expect(HTTPDate(text) == nil)
    }
}
