// SPDX-License-Identifier: Apache-2.0
import ControlAPI

/// Why a session could not be opened, or a call of the control API failed.
package enum EdgeFailure: Error, Equatable, CustomStringConvertible {
    /// The name of the edge does not resolve.
    case unresolved(host: String)
    /// The edge's address refuses connections, or does not answer.
    case unreachable(address: String, reason: String)
    /// A step took too long.
    case timedOut(address: String, step: String)
    /// The TLS handshake failed.
    case tls(address: String, reason: String)
    /// The certificate of the edge, or of a machine in between, is not trusted.
    case untrusted(address: String, reason: String)
    /// The proxy did not open a connection to the edge.
    case proxy(ProxyAddress, to: EdgeAddress, ProxyFailure)
    /// The edge, or a proxy in front of it, answered with a status that is no success.
    case refused(status: Int, retryAfter: Duration?, problem: ProblemDetails?)
    /// There is TLS where the URL says `http://`, or none where it says `https://`; with the URL that is right.
    case otherScheme(address: String, right: String)
    /// The server that answered is not a Culvert edge.
    case notAnEdge(address: String, reason: String)
    /// The address is a tunnel's, as its edge answers there; with the address of that edge, if it can be told.
    case tunnelAddress(address: String, edge: String?)

    /// The reason of a server that said nothing at all.
    static let closedReason = "it closed the connection without an answer"

    /// How long the edge wants to be left alone, if it says so.
    var retryAfter: Duration? {
        guard case .refused(_, let retryAfter, _) = self else { return nil }
        return retryAfter
    }

    /// Whether the edge refused the token.
    var isAboutToken: Bool {
        guard case .refused(let status, _, _) = self else { return false }
        return [401, 403, 404].contains(status)
    }

    package var description: String {
        switch self {
        case .unresolved(let host): "The name \(host) does not resolve."
        case .unreachable(let address, let reason): "No edge answers at \(address): \(reason)."
        case .timedOut(let address, let step): "The edge at \(address) did not finish \(step) in time."
        case .tls(let address, let reason), .untrusted(let address, let reason):
            "No secure connection to \(address): \(reason)."
        case .otherScheme(let address, let right):
            right.hasPrefix("https")
                ? "There is TLS where \(address) leads: use \(right)." : "There is no TLS at \(address): use \(right)."
        case .proxy(let proxy, let edge, let failure): failure.sentences(proxy: proxy, edge: edge)
        case .refused(let status, _, let problem): Self.refusal(status: status, problem: problem)
        case .notAnEdge(let address, let reason): "What answers at \(address) is not a Culvert edge: \(reason)."
        case .tunnelAddress(let address, let edge):
            "\(address) is the address of a tunnel, and not that of its edge: "
                + "\(edge.map { "use \($0)" } ?? "give the one that the edge itself has")."
        }
    }

    /// Whether something between here and the edge may be the cause, and no answer has come from there.
    var isOnTheWay: Bool {
        switch self {
        case .unresolved, .unreachable, .timedOut, .tls, .proxy: true
        case .untrusted, .refused, .otherScheme, .notAnEdge, .tunnelAddress: false
        }
    }

    /// Whether the edge does not know the API key.
    package var isUnknownKey: Bool {
        if case .refused(_, _, let problem?) = self { problem.code == "invalid_credentials" } else { false }
    }

    private static func refusal(status: Int, problem: ProblemDetails?) -> String {
        switch problem?.code {
        // The edge speaks of the fields of its API, and people of options.
        case "otp_required"?: return "This key needs a one-time code: add --otp CODE."
        case "otp_invalid"?: return "The one-time code is wrong, old or used: wait for the next one."
        case "invalid_credentials"?:
            return
                "The edge does not know this API key or token, or it has been revoked. An edge that was started anew with "
                + "--dev has another key, which it prints; others take up a key that was made meanwhile when they get SIGHUP."
        case "not_found"?:
            return
                "There is no such call at this address: the URL of an edge ends before /api, mostly without any path."
        case "invalid_token"?:
            return
                "The edge does not take this token: it has been replaced or revoked, is of another kind, or another "
                + "edge's; one that was started anew with --dev is another. Whoever has an API key makes one: culvert tunnels "
                + "token NAME to serve, culvert tunnels access NAME to visit."
        case Self.sessionEnded?:
            return "This is an edge's admin address, for its dashboard and probes: give the one for visitors."
        default: if let problem { return problem.sentence }
        }
        return switch status {
        case 401, 403: "The edge refused the credentials (HTTP \(status))."
        case 404: "There is no edge or no such tunnel at this address (HTTP 404)."
        case 409: "The edge already has a session in this place (HTTP 409)."
        case 429: "The edge asks to slow down (HTTP 429)."
        default: "The edge answered HTTP \(status)."
        }
    }
}

extension ProblemDetails {
    /// The detail, or else the title, as a sentence that is safe to print on a terminal.
    package var sentence: String {
        var text = PeerText.printable(self.detail ?? self.title)
        if let last = text.last, !".!?".contains(last) { text += "." }
        return text.isEmpty ? "The edge answered HTTP \(self.status)." : text
    }
}
