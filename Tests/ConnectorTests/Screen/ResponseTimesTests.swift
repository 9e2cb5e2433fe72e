// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Testing

@testable import Connector

@Suite("Percentiles of response times")
struct ResponseTimesTests {
    @Test("Before the first answer there are none")
    func empty() {
        #expect(ResponseTimes().percentile(50) == nil)
    }

    @Test(
        "They are right to 3 %, from a microsecond to days",
        arguments: [1, 31, 32, 63, 64, 1_000, 999_999, 86_400_000_000]
    )
    func precision(microseconds: Int64) throws {
        var times = ResponseTimes()
        times.add(.microseconds(microseconds))
        let found = try #require(times.percentile(50)).nanoseconds / 1_000
        #expect(abs(found - microseconds) * 100 <= 3 * microseconds)
    }

    @Test("So many of a hundred answers did not take longer")
    func ranks() throws {
        var times = ResponseTimes()
        for milliseconds in (1...100).shuffled() { times.add(.milliseconds(Int64(milliseconds))) }
        for percent in [1, 50, 90, 99, 100] {
            let found = try #require(times.percentile(percent)).nanoseconds
            #expect(abs(found - Int64(percent) * 1_000_000) * 100 <= 3 * Int64(percent) * 1_000_000, "p\(percent)")
        }
    }

    @Test("The size stays the same, whatever comes")
    func bounds() {
        var times = ResponseTimes()
        for time in [TimeAmount.nanoseconds(.max), .nanoseconds(-5), .zero] { times.add(time) }
        #expect(times.count == 3)
        #expect(times.percentile(1) == .zero)
        #expect(times.percentile(100) != nil)
    }
}
