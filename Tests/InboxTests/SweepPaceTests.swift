// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import InboxFile

@Suite("The pace of a sweep")
struct SweepPaceTests {
    @Test("A step that took long is followed by smaller ones, quick steps by larger ones, both within bounds")
    func sizes() {
        var pace = SweepPace()
        for _ in 0..<10 { _ = pace.took(SweepPace.aim * 2) }
        #expect((pace.messages, pace.bytes, pace.pages) == (8, 65_536, 16))
        var sizes = [pace.pages]
        for _ in 0..<10 {
            _ = pace.took(.microseconds(10))
            sizes.append(pace.pages)
        }
        #expect(sizes == [16, 32, 64, 128, 256, 256, 256, 256, 256, 256, 256])
        #expect((pace.messages, pace.bytes) == (128, 1 << 20))
        // What takes about as long as it should stays.
        _ = pace.took(SweepPace.aim)
        _ = pace.took(SweepPace.aim / 4)
        #expect(pace.pages == 256)
    }

    @Test("Half of the time is left to others, but a disk that stands still does not stop a sweep for as long again")
    func rests() {
        var pace = SweepPace()
        for duration: Duration in [.zero, .microseconds(300), .milliseconds(5), .milliseconds(100)] {
            #expect(pace.took(duration) == duration)
        }
        #expect(pace.took(.seconds(9)) == SweepPace.longestRest)
    }
}
