// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import NIOCore
import Protocol

/// What to do about what a step of a diagnosis has found; nothing where the finding says it, or nobody can know.
enum DiagnosisAdvice {
    /// The steps that talk to the edge, or through it.
    enum Step {
        case port(Int)
        case proxy
        case tls
        case api
        case key
        case tunnel
        case publicURL
    }

    /// The advice for a failure on the way to the edge or of the edge.
    static func about(_ failure: EdgeFailure, in step: Step) -> String? {
        switch failure {
        case .otherScheme, .tunnelAddress, .proxy: nil
        case .unresolved: Self.unresolved(in: step)
        case .unreachable, .timedOut: Self.unreachable(failure, in: step)
        case .untrusted(_, let reason) where reason.contains("another name"):
            if case .publicURL = step {
                "The edge, or what ends TLS in front of it, needs a certificate for all names below its domain, as "
                    + "*.tunnels.example.com."
            } else {
                nil
            }
        case .untrusted(_, let reason):
            reason.contains("--ca-file") ? "culvert login --ca-file FILE remembers the authority of an edge." : nil
        case .tls(_, let reason) where reason.contains("there is no TLS"):
            "Whoever runs the edge sets tls.certificate, or has a proxy speak TLS in front of it, or writes http:// into "
                + "public.url."
        case .tls: "What ends TLS there, the edge or a proxy in front of it, says more in its log."
        case .refused(let status, _, let problem?): Self.refused(status, problem, in: step)
        case .refused, .notAnEdge: Self.notAnEdge(in: step)
        }
    }

    /// The advice for a local server.
    static func about(_ failure: OriginFailure) -> String? {
        if failure.isAboutTrust {
            return
                "With that flag, or with --origin-tls-verify off, culvert http can serve it; diagnose takes both, too."
        }
        return switch failure.code {
        case .connectRefused: "Start the local server, or name the port it listens on."
        case .connectTimeout, .hostUnreachable: "Is the address right, and does a firewall let this machine there?"
        case .dnsFailure: "Check the spelling of the local server's name."
        default: nil
        }
    }

    private static func unresolved(in step: Step) -> String {
        switch step {
        case .publicURL: "Hosts of tunnels need a DNS record for all names below the edge's: *.tunnels.example.com."
        default: "Check the spelling of the edge and the DNS of this machine."
        }
    }

    private static func unreachable(_ failure: EdgeFailure, in step: Step) -> String? {
        switch step {
        case .port(let port):
            if case .unreachable(_, let reason) = failure, reason.contains("refused") {
                return "Nothing listens at port \(port) there: is the edge running, and is this its port?"
            }
            return "Does a firewall let connections to port \(port) out? Is the machine up?"
        case .publicURL:
            return
                "The DNS record of the tunnels' hosts has to lead to the edge, or to what is in front of it, and the "
                + "port of the edge's public.url has to be theirs."
        case .tunnel: return "What is between here and the edge has to pass WebSocket upgrades."
        case .proxy, .tls, .api, .key: return "The edge, or what is in front of it, says more in its log."
        }
    }

    private static func refused(_ status: Int, _ problem: ProblemDetails, in step: Step) -> String? {
        switch problem.code {
        case "tls_required":
            "Whoever runs the edge has to write https:// into its setting public.url, since it speaks TLS there."
        case "otp_required": "Add --otp and the six digits that the authenticator shows now."
        case "invalid_credentials", "missing_credentials":
            "Whoever runs the edge makes keys: culvert-edge credentials new."
        // The edge has said what to do.
        default: nil
        }
    }

    private static func notAnEdge(in step: Step) -> String? {
        switch step {
        case .tunnel: "What is between here and the edge has to pass WebSocket upgrades."
        case .publicURL: "What is in front of the edge has to lead all hosts of tunnels there, with WebSocket upgrades."
        case .api, .key: "Is this the address of an edge, and not of something in front of it?"
        case .port, .proxy, .tls: nil
        }
    }
}
