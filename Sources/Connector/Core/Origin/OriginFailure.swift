// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOPosix
import NIOSSL
import Protocol

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why the local target can't be reached, as REJECT carries it.
package struct OriginFailure: Error, Equatable, CustomStringConvertible {
    package var code: ErrorCode
    /// A sentence that names the address of the target; for logs and for the owner of the tunnel.
    var reason: String

    package var description: String { self.reason }

    /// Whether a flag that trusts another certificate helps.
    package var isAboutTrust: Bool { self.reason.hasSuffix(Self.trustAdvice) }

    private static let trustAdvice = " names its authority"

    /// Gives an error of connecting its code (docs/protocol.md §B.11) and a sentence.
    ///
    /// - Parameters:
    ///   - error: The error.
    ///   - target: The target.
    ///   - settings: Where its owner can say something else of its certificate.
    package init(
        _ error: any Error,
        dialling target: OriginTarget,
        settings: OriginTrust.Settings = .flags
    ) {
        let address = target.address
        switch error {
        case let error as OriginFailure:
            self = error
        case let error as NIOConnectionError:
            self.init(error, dialling: target, settings)
        case let error as IOError:
            self.init(errno: error.errnoCode, address: address)
        case ChannelError.connectTimeout:
            self.init(code: .connectTimeout, reason: "\(address) does not answer")
        case let error as NIOSSLError:
            self.init(code: .localTLSError, reason: Self.tlsReason(error, address, settings))
        case let error as BoringSSLError:
            let reason = TLSReason.words(error)
            self.init(code: .localTLSError, reason: "the TLS handshake with \(address) failed: \(reason)")
        case let error as NIOSSLExtraError where error == .failedToValidateHostname:
            self.init(
                code: .localTLSError,
                reason: "the certificate of \(address) is for another name: the target's URL, or \(settings.host), "
                    + "has to have one of its names"
            )
        case is NIOSSLExtraError:
            self.init(
                code: .localTLSError,
                reason: "the TLS handshake with \(address) failed: its name is none for TLS"
            )
        case is SocketAddressError:
            self.init(code: .dnsFailure, reason: "the name of \(address) does not resolve")
        default:
            self.init(code: .hostUnreachable, reason: "\(address) can't be reached")
        }
    }

    /// - Parameters:
    ///   - code: The code of REJECT.
    ///   - reason: A sentence without a full stop that names the address.
    package init(code: ErrorCode, reason: String) {
        self.code = code
        self.reason = reason
    }

    private init(_ error: NIOConnectionError, dialling target: OriginTarget, _ settings: OriginTrust.Settings) {
        // Of several addresses the most informative failure counts: a refusal says more than a missing route.
        let failures = error.connectionErrors.map { OriginFailure($0.error, dialling: target, settings: settings) }
        let bestFirst: [ErrorCode] = [.connectRefused, .connectTimeout, .hostUnreachable]
        if let best = bestFirst.lazy.compactMap({ code in failures.first { $0.code == code } }).first ?? failures.first
        {
            self = best
        } else {
            self.init(code: .dnsFailure, reason: "the name \(error.host) does not resolve")
        }
    }

    private init(errno code: CInt, address: String) {
        switch code {
        case ECONNREFUSED:
            self.init(code: .connectRefused, reason: "nothing listens on \(address)")
        case ENOENT:
            self.init(code: .connectRefused, reason: "there is no socket at \(address)")
        case ETIMEDOUT:
            self.init(code: .connectTimeout, reason: "\(address) does not answer")
        case EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EHOSTDOWN, ENETDOWN:
            self.init(code: .hostUnreachable, reason: "there is no route to \(address)")
        case EACCES, EPERM:
            self.init(code: .hostUnreachable, reason: "the system does not allow a connection to \(address)")
        case EMFILE, ENFILE:
            self.init(code: .overloaded, reason: "the connector has too many open files")
        default:
            self.init(code: .hostUnreachable, reason: "\(address) can't be reached (error \(code))")
        }
    }

    private static func tlsReason(
        _ error: NIOSSLError,
        _ address: String,
        _ settings: OriginTrust.Settings
    ) -> String {
        if case .handshakeFailed(let detail) = error {
            let text = "\(detail)"
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return "the certificate of \(address) is not trusted; \(settings.authorities)\(Self.trustAdvice)"
            }
            if text.contains("WRONG_VERSION_NUMBER") {
                return "\(address) does not speak TLS; use http:// for it"
            }
        }
        return "the TLS handshake with \(address) failed: \(TLSReason.words(error))"
    }
}
