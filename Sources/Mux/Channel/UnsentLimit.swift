// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// How many bytes may wait below the scheduler, where nothing more urgent can overtake them: four milliseconds at the
/// measured rate in the kernel, and half as much in the channel (docs/protocol.md §B.8.5).
struct UnsentLimit {
    /// How many bytes the kernel should hold unsent.
    private(set) var kernel = Self.bounds.lowerBound * 4
    private var written = 0
    private var wasHeldUp = false
    private var measuredSince: NIODeadline?

    /// The limits of `kernel`, in bytes.
    static let bounds = 16_384...262_144

    /// How many bytes the channel holds before it counts as not writable.
    var channel: Int { min(max(self.kernel / 2, Self.bounds.lowerBound), 65_536) }

    mutating func wrote(_ count: Int) {
        self.written += count
    }

    /// The path took no more: the rate measured is the path's, not that of what there was to send.
    mutating func heldUp() {
        self.wasHeldUp = true
    }

    /// Follows the rate, at most once a second; whether the limits are others now.
    mutating func adapt(now: NIODeadline) -> Bool {
        guard let since = self.measuredSince else {
            self.measuredSince = now
            self.written = 0
            return false
        }
        let elapsed = now - since
        guard elapsed >= .seconds(1) else { return false }
        let rate = Double(self.written) * 1e9 / Double(elapsed.nanoseconds)
        let wanted = min(max(Int(rate * 0.004), Self.bounds.lowerBound), Self.bounds.upperBound)
        let isOther = wanted > self.kernel / 4 * 5 || (self.wasHeldUp && wanted < self.kernel / 5 * 4)
        self.written = 0
        self.wasHeldUp = false
        self.measuredSince = now
        if isOther { self.kernel = wanted }
        return isOther
    }
}

extension UnsentLimit {
    /// Has a connection follow the limits.
    func apply(to channel: any Channel) {
        guard let options = channel.syncOptions else { return }
        try? options.setOption(.unsentLowWaterMark, value: self.kernel)
        try? options.setOption(.writeBufferWaterMark, value: .init(low: self.channel / 2, high: self.channel))
    }
}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// `TCP_NOTSENT_LOWAT`.
    package static var unsentLowWaterMark: Self {
        #if os(Linux)
        .init(level: .tcp, name: .init(rawValue: 25))
        #else
        .init(level: .tcp, name: .init(rawValue: 0x201))
        #endif
    }
}
