// SPDX-License-Identifier: Apache-2.0

/// What the origin sees in `Origin` and `Referer` of requests that the tunnel's own pages make.
///
/// In JSON it is one string: `"rewrite"` for ``withHost``, `"preserve"`, or the origin itself.
package enum OriginPolicy: Equatable, Sendable {
    /// `http://` and what the origin sees in `Host`: a server that compares the two finds them equal.
    case withHost
    /// What the visitor's browser sent, for servers that believe `X-Forwarded-Host`.
    case preserve
    /// This one, such as `https://localhost:8443`.
    case origin(String)

    /// Reads the JSON spelling.
    package init(_ text: String) {
        switch text {
        case "rewrite": self = .withHost
        case "preserve": self = .preserve
        default: self = .origin(text)
        }
    }

    /// The JSON spelling.
    package var description: String {
        switch self {
        case .withHost: "rewrite"
        case .preserve: "preserve"
        case .origin(let origin): origin
        }
    }

    /// The origin to write; `nil` leaves the fields as they are.
    ///
    /// - Parameters:
    ///   - host: What is done with `Host`.
    ///   - originHost: What the origin sees there.
    package func value(with host: HostPolicy, originHost: String) -> String? {
        switch self {
        case .preserve: nil
        case .withHost: host == .preserve ? nil : "http://\(originHost)"
        case .origin(let origin): origin
        }
    }
}
