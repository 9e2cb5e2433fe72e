// SPDX-License-Identifier: Apache-2.0

import ControlAPI

extension EdgeFailure {
    /// The failure, or what explains it better: that TLS is spoken where the URL says `http://`.
    ///
    /// - Parameters:
    ///   - edge: The edge that was asked.
    ///   - proxy: The proxy that was passed; behind one nothing else is tried.
    func explained(reaching edge: EdgeAddress, through proxy: ProxyAddress?) async -> EdgeFailure {
        guard !edge.usesTLS, proxy == nil, self.mayComeOfScheme(at: edge), await TLSProbe.finds(edge.withTLS) else {
            return self
        }
        return .otherScheme(address: edge.description, right: edge.withTLS.description)
    }

    /// What an edge answers there itself.
    static let tlsRequired = "tls_required"
    /// What an edge answers at its admin address, where people log in.
    static let sessionEnded = "session_ended"

    /// Whether a server that expects TLS, or sends everybody to another port for it, behaves like this.
    private func mayComeOfScheme(at edge: EdgeAddress) -> Bool {
        let isFarAway = edge.port == 80 && !Authority(host: edge.host, port: nil).isLoopback
        return switch self {
        case .notAnEdge: true
        case .unreachable(_, let reason): isFarAway || reason == Self.closedReason
        // Many servers answer plain HTTP at their port for TLS with 400.
        case .refused(let status, _, nil): status == 400 || (300...399).contains(status)
        case .refused(_, _, .some(let problem)): problem.code == Self.tlsRequired
        default: false
        }
    }
}
