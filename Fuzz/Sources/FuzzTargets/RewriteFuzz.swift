// SPDX-License-Identifier: Apache-2.0
import NIOCore

@testable import ControlAPI
@testable import EdgeProxy
@testable import EdgeTunnels
@testable import HTTP1

/// What the edge makes of references, and of heads on their way in either direction.
///
/// Nothing that it writes ends a line early, what it writes reads as one message with the same body, it grows by no more
/// than what is added, and who rewrites twice changes nothing more.
enum RewriteFuzz {
    static func check(_ input: [UInt8]) throws {
        var reader = InputReader(input)
        let choice = reader.byte()
        let setting = Setting(choice, &reader)
        let bytes = reader.rest()
        switch choice % 3 {
        case 0: try self.checkReference(setting, kind: choice / 3 % 4, bytes)
        case 1: try self.checkRequest(setting, ByteBuffer(bytes: bytes))
        default: try self.checkResponse(setting, ByteBuffer(bytes: bytes))
        }
    }

    /// A tunnel and who asks for it.
    private struct Setting {
        var isPathMode: Bool
        var policy = TunnelPolicy()
        var scheme: String
        var host: String
        var trust: VisitorTrust
        var dropsAuthorization: Bool
        var connection: ResponseRewrite.Connection
        var isHTTP10Visitor: Bool
        /// Whether a request that names the tunnel is taken as one that does not.
        var lacksPrefix: Bool
        var keepsSeconds: Bool

        static let id = "k3v9q2m7"
        static let wildcardDomain = "t.example"

        init(_ choice: UInt8, _ reader: inout InputReader) {
            self.lacksPrefix = choice / 12 % 3 != 0
            self.keepsSeconds = choice / 36 % 2 != 0
            self.policy.origin = [.withHost, .preserve, .origin("https://app.test")][Int(choice / 72) % 3]
            let flags = reader.byte()
            self.isPathMode = flags & 1 == 0
            self.policy.pathMode = flags & 2 == 0 ? .strip : .keep
            if choice / 12 % 3 == 2 { self.policy.pathMode = .root }
            self.policy.upgrades = flags & 4 == 0 ? .any : .websocket
            self.scheme = flags & 8 == 0 ? "https" : "http"
            self.dropsAuthorization = flags & 16 != 0
            self.isHTTP10Visitor = flags & 32 != 0
            let networks = flags & 64 == 0 ? [] : ["127.0.0.0/8", "10.0.0.0/8"]
            self.trust = VisitorTrust(
                trustedProxies: networks.compactMap { AddressRange($0) },
                clientIPHeader: flags & 128 == 0 ? nil : "X-Client",
                isTLS: self.scheme == "https"
            )
            let hosts = ["edge.example", "\(Self.id).\(Self.wildcardDomain)", "localhost:8989", "", "[::1]:443"]
            self.host = reader.element(of: hosts)
            self.policy.host = reader.element(of: [
                .rewrite("localhost:3000"), .preserve, .rewrite("127.0.0.1:3000"), .rewrite("app.internal"), .local,
            ])
            self.connection = reader.element(of: [.kept, .close, .keepAlive])
        }

        /// How a request names the tunnel whose prefix has so many bytes; none for a tunnel with a host of its own.
        func entry(_ prefixLength: Int) -> TunnelEntry {
            guard prefixLength > 0 else { return .host }
            guard self.lacksPrefix else { return .prefix(prefixLength) }
            return self.policy.pathMode == .root ? .root : .fallback
        }

        /// What answers have to mind of other tunnels; nothing where a second rewriting is compared.
        var shared: SharedOrigin? {
            guard self.isPathMode, self.lacksPrefix, let id = TunnelID(Self.id) else { return nil }
            let isRoot = self.policy.pathMode == .root
            return SharedOrigin(cookies: TunnelCookies(id: id), keepsSeconds: self.keepsSeconds, isRoot: isRoot)
        }

        var urls: ResponseURLs {
            ResponseURLs(
                prefix: self.isPathMode && self.policy.pathMode == .strip ? "/\(Self.id)" : "",
                isPathMode: self.isPathMode,
                scheme: self.scheme,
                host: self.host,
                originHost: self.policy.host.value(visitorHost: self.host),
                wildcardDomain: Self.wildcardDomain
            )
        }

        /// By how much one reference may grow.
        var growth: Int { Self.id.utf8.count + self.host.utf8.count + 16 }
    }

    // MARK: References

    private static func checkReference(_ setting: Setting, kind: UInt8, _ bytes: some Sequence<UInt8>) throws {
        let urls = setting.urls
        // As ResponseRewrite gives them: Latin-1, without what can't be in a field's value.
        var scalars = String.UnicodeScalarView()
        for byte in bytes where byte >= 0x20 && byte != 0x7F || byte == 0x09 { scalars.append(Unicode.Scalar(byte)) }
        let value = String(scalars).trimmingSpaces()
        let change: (String) -> String
        let marks: Set<Character>
        switch kind {
        case 0: (change, marks) = (urls.publicURL, [])
        case 1: (change, marks) = (urls.publicLinks, ["<"])
        case 2: (change, marks) = (urls.publicRefresh, [])
        default: (change, marks) = (urls.publicCookie, [";"])
        }
        let changed = change(value)
        try Finding.unless(
            changed.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F || $0.value == 0x09 },
            "a control character in \(String(reflecting: changed))"
        )
        let references = 1 + value.unicodeScalars.count { marks.contains(Character($0)) }
        try Finding.unless(
            changed.unicodeScalars.count <= value.unicodeScalars.count + references * setting.growth,
            "\(value.unicodeScalars.count) characters became \(changed.unicodeScalars.count)"
        )
        let again = change(changed)
        try Finding.unless(
            again == changed,
            "rewritten twice, \(String(reflecting: value)) is \(String(reflecting: changed)) and then "
                + String(reflecting: again)
        )
    }

    // MARK: Heads

    private static func read<Head>(
        _ bytes: ByteBuffer,
        _ read: (inout HeadParser, inout ByteBuffer) throws(HTTPFault) -> Head?
    ) throws -> Head {
        // What was accepted may have become a little longer.
        var parser = HeadParser(maximumBytes: 1 << 20, maximumFields: 1_024)
        var buffer = bytes
        do {
            guard let head = try read(&parser, &buffer), buffer.readableBytes == 0 else {
                throw Finding("what is written is not one head: \(bytes.shown)")
            }
            return head
        } catch let fault as HTTPFault {
            throw Finding("what is written is refused: \(fault.reason): \(bytes.shown)")
        }
    }

    private static func checkRequest(_ setting: Setting, _ bytes: ByteBuffer) throws {
        var parser = HeadParser()
        var buffer = bytes
        guard let head = try? parser.request(&buffer) else { return }
        let router = PublicRouter(wildcardDomain: Setting.wildcardDomain)
        guard case .tunnel(let id, let prefixLength) = router.route(head) else { return }
        let entry = setting.entry(prefixLength)
        let rewrite = RequestRewrite(
            entry: entry,
            policy: setting.policy,
            tunnelID: id,
            visitor: setting.trust.visitor(head.section, peer: IPAddress(self.peer)),
            requestID: RequestID(),
            dropsAuthorization: setting.dropsAuthorization,
            clientIPHeader: setting.trust.clientIPHeader?.asciiLowercased()
        )
        let output = rewrite.head(head)
        let seen = try self.read(output) { parser, buffer throws(HTTPFault) in try parser.request(&buffer) }
        try Finding.unless(seen.methodText == head.methodText, "another method: \(output.shown)")
        try Finding.unless(seen.framing == head.framing, "another body: \(seen.framing) for \(head.framing)")
        var target = head.targetText
        switch entry {
        case .prefix where setting.policy.pathMode != .keep:
            target = String(Substring(target.utf8.dropFirst(prefixLength)))
        case .fallback where setting.policy.pathMode == .keep: target = "/\(id)\(target)"
        case .host, .prefix, .fallback, .root: break
        }
        try Finding.unless(seen.targetText == target, "\(head.targetText) became \(seen.targetText)")
        let cookies = seen.section.values(.cookie).flatMap { $0.split(separator: ";") }
        try Finding.unless(
            entry == .host || !cookies.contains { TunnelCookies.isOurs(setCookie: String($0)) },
            "a cookie of the edge is passed on: \(output.shown)"
        )
        for field in [KnownField.keepAlive, .proxyAuthorization, .proxyConnection] {
            try Finding.unless(!seen.section.contains(field), "\(field) is passed on: \(output.shown)")
        }
        for field in [
            KnownField.host, .xForwardedFor, .xForwardedProto, .xForwardedPrefix, .xRealIP, .forwarded, .xRequestID,
        ] {
            try Finding.unless(
                seen.section.lines.count { $0.known == field } <= 1,
                "more than one \(field): \(output.shown)"
            )
        }
        let added = 1_024 + 4 * (head.section.first(.host)?.utf8.count ?? 0) + head.section.lines.count * 2
        try Finding.unless(
            output.readableBytes <= 2 * head.section.bytes.readableBytes + added,
            "\(head.section.bytes.readableBytes) bytes became \(output.readableBytes)"
        )
    }

    private static let peer = try? SocketAddress(ipAddress: "127.0.0.1", port: 40_000)

    private static func checkResponse(_ setting: Setting, _ bytes: ByteBuffer) throws {
        var parser = HeadParser()
        var buffer = bytes
        guard let head = try? parser.response(&buffer),
            let body = try? BodyFraming.response(
                head.section,
                status: head.status,
                version: head.version,
                isHead: false
            )
        else { return }
        let framing: ResponseRewrite.Framing =
            body != .untilClose ? .asReceived : setting.isHTTP10Visitor ? .untilClose : .chunked
        let rewrite = ResponseRewrite(urls: setting.urls, shared: setting.shared)
        let output = rewrite.head(head, framing: framing, connection: setting.connection)
        let seen = try self.read(output) { parser, buffer throws(HTTPFault) in try parser.response(&buffer) }
        try Finding.unless(seen.status == head.status, "status \(head.status) became \(seen.status)")
        let seenBody: BodyFraming
        do {
            seenBody = try BodyFraming.response(
                seen.section,
                status: seen.status,
                version: seen.version,
                isHead: false
            )
        } catch {
            throw Finding("the body of what is written has no end: \(error.reason): \(output.shown)")
        }
        try Finding.unless(
            seenBody == (framing == .chunked ? .chunked : body),
            "a body of \(body) became one of \(seenBody): \(output.shown)"
        )
        for field in [KnownField.keepAlive, .proxyAuthenticate, .culvertError, .culvertRequestID] {
            try Finding.unless(!seen.section.contains(field), "\(field) is passed on: \(output.shown)")
        }
        guard setting.shared == nil else { return }
        let again = rewrite.head(seen, framing: .asReceived, connection: setting.connection)
        try Finding.unless(
            Self.values(again) == Self.values(output),
            "rewritten twice: \(output.shown), then \(again.shown)"
        )
    }

    /// The lines without white space at their ends, which belongs to no value (RFC 9110 §5.5): a cookie may end in some
    /// once its last attribute is left out.
    private static func values(_ head: ByteBuffer) -> [[UInt8]] {
        head.readableBytesView.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            var line = line
            while let last = line.last, last == 0x0D || last == 0x20 || last == 0x09 { line.removeLast() }
            return Array(line)
        }
    }
}
