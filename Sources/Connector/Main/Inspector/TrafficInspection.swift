// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Foundation
import Inspection
import NIOConcurrencyHelpers

/// What a run keeps of its traffic, and how it may be looked at.
final class TrafficInspection: Sendable {
    /// The settings of a run.
    struct Settings: Equatable, Sendable {
        /// Where to listen; `nil` means the first free port from 4040 on, on the loopback address.
        var address: InspectorAddress?
        /// How much is kept.
        var budget = CaptureBudget()
        /// Names beside those of this machine under which the inspector may be asked.
        var allowedHosts: [String] = []
        /// The secrets by which replays are signed anew.
        var signingSecrets: [SigningSecret] = []
        /// The fields that are not kept.
        var dropped = DroppedFields([])
        /// Whether a token has to be shown.
        var requiresToken = false
        /// The local servers that are exposed, whose addresses are not listened on.
        var targets: [OriginTarget] = []
    }

    let settings: Settings
    /// What is kept.
    let ring: CaptureRing
    /// The tunnels of the run.
    let directory: TunnelDirectory
    /// What every client has to show; `nil` if nothing has to.
    let token: String?
    /// When the run began, in milliseconds since 1970.
    let startedMS: Double
    private let url = NIOLockedValueBox<String?>(nil)

    init(settings: Settings) {
        self.settings = settings
        let ring = CaptureRing(budget: settings.budget, dropped: settings.dropped)
        self.ring = ring
        self.directory = TunnelDirectory(onChange: { ring.notify() })
        self.startedMS = Date().timeIntervalSince1970 * 1_000
        let isLoopback = settings.address?.isLoopback ?? true
        self.token = settings.requiresToken || !isLoopback ? Self.makeToken() : nil
    }

    /// Where the page is, once it can be opened.
    var pageURL: String? { self.url.withLockedValue { $0 } }

    /// The page can be opened.
    func opened(at url: String) {
        self.url.withLockedValue { $0 = url }
    }

    /// The recorder for the connections of a tunnel.
    func recorder(for tunnel: String) -> ExchangeRecorder {
        ExchangeRecorder(ring: self.ring, origin: ExchangeOrigin(tunnel: tunnel, connection: 0))
    }

    /// 128 random bits.
    private static func makeToken() -> String {
        (0..<4).map { _ in
            let digits = String(UInt32.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 8 - digits.utf8.count) + digits
        }.joined()
    }
}
