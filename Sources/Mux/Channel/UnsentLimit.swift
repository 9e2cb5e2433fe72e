// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// How many bytes the kernel should hold unsent: eight milliseconds at the measured rate (docs/protocol.md §B.8.5).
struct UnsentLimit {
    private var current = Self.initial
    private var written = 0
    private var measuredSince: NIODeadline?

    /// What holds until a rate has been measured.
    static let initial = 65_536
    static let bounds = 16_384...262_144

    mutating func wrote(_ count: Int) {
        self.written += count
    }

    /// A new limit in bytes, at most once a second and only if it differs by a factor of two.
    mutating func adapt(now: NIODeadline) -> Int? {
        guard let since = self.measuredSince else {
            self.measuredSince = now
            self.written = 0
            return nil
        }
        let elapsed = now - since
        guard elapsed >= .seconds(1) else { return nil }
        let rate = Double(self.written) * 1e9 / Double(elapsed.nanoseconds)
        self.written = 0
        self.measuredSince = now
        guard rate > 0 else { return nil }
        let wanted = min(max(Int(rate * 0.008), Self.bounds.lowerBound), Self.bounds.upperBound)
        guard wanted >= 2 * self.current || wanted * 2 <= self.current else { return nil }
        self.current = wanted
        return wanted
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// `TCP_NOTSENT_LOWAT`.
    static var unsentLowWaterMark: Self {
        #if os(Linux)
        .init(level: .tcp, name: .init(rawValue: 25))
        #else
        .init(level: .tcp, name: .init(rawValue: 0x201))
        #endif
    }
}
