// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeTunnels
import HTTP1
import NIOCore

/// Makes the head that the origin sees from the head that the visitor sent (docs/http.md).
struct RequestRewrite {
    /// How the request names the tunnel.
    let entry: TunnelEntry
    let policy: TunnelPolicy
    let tunnelID: TunnelID
    let visitor: Visitor
    let requestID: RequestID
    /// Whether `Authorization` was for the edge, and is not for the origin.
    private(set) var dropsAuthorization = false
    /// The field in which trusted proxies name the visitor, in lower case, if it is one of their own making.
    private(set) var clientIPHeader: String?

    /// What the origin sees in `Host`.
    var originHost: String { self.policy.host.value(visitorHost: self.visitor.host) }

    /// Whether the origin is asked for the protocol that the visitor asks for.
    ///
    /// One that the policy does not allow is simply not asked for: `Upgrade` may always be ignored (RFC 9110 §7.8).
    /// Another version of HTTP is never asked for, nor what stands in a list with one.
    func passesUpgrade(_ head: RequestHead) -> Bool {
        guard head.isUpgrade, head.section.upgrade == .protocols else { return false }
        return self.policy.upgrades == .any || head.section.tokens(.upgrade, atMost: 1) == ["websocket"]
    }

    /// The head as it goes to the origin.
    ///
    /// - Parameters:
    ///   - head: The visitor's.
    ///   - spare: Memory that is used again if nobody else holds it.
    func head(_ head: RequestHead, spare: consuming ByteBuffer = ByteBuffer()) -> ByteBuffer {
        let section = head.section
        let named = section.linesNamedByConnection(except: Self.neverNamed)
        let passesUpgrade = self.passesUpgrade(head)
        let originHost = self.originHost
        return HeadWriter.head(copying: section, room: 512, spare: consume spare) { output in
            output.copy(head.method)
            output.literal(" ")
            self.writeTarget(head, to: &output)
            output.literal(" HTTP/1.1\r\n")
            var connection = ConnectionField(passesUpgrade: passesUpgrade, section: section)
            var hasHost = false
            for (index, line) in section.lines.enumerated() {
                switch line.known {
                case .culvertHops: continue
                case .maxForwards: self.writeMaxForwards(line, head, to: &output)
                case .host:
                    hasHost = true
                    output.field(named: line) { $0.text(originHost) }
                case .connection, .upgrade, .te: connection.write(line, section, to: &output)
                case .transferEncoding:
                    // Its value is known to be this one, in some spelling.
                    output.field(named: line) { $0.literal("chunked") }
                case let field where field.isForeignForwarding && self.visitor.isFromTrustedProxy: output.copy(line)
                case let field where field.isHopByHop || field.isForwarding: continue
                case .authorization where self.dropsAuthorization: continue
                case .cookie where self.entry.isShared && TunnelCookies.concern(line, of: section):
                    let cookies = TunnelCookies(id: self.tunnelID)
                    let takesSeconds = self.entry == .fallback || self.entry == .root
                    self.write(line, section, to: &output) { cookies.forApp($0, takesSeconds: takesSeconds) }
                case .origin: self.write(line, section, to: &output) { self.requestURLs.origin($0) }
                case .referer: self.write(line, section, to: &output) { self.requestURLs.referer($0) }
                case .destination: self.write(line, section, to: &output) { self.requestURLs.destination($0) }
                case .ifConditions: self.write(line, section, to: &output) { self.requestURLs.conditions($0) }
                // Nobody waits for a 100 in HTTP/1.0; the origin would think so (RFC 9110 §10.1.1).
                case .expect where head.version == .http10: continue
                case .other where self.isForgedClientIPHeader(line, section): continue
                default:
                    if !named.isEmpty, named[index] { continue }
                    output.copy(line)
                }
            }
            if !hasHost { output.field("Host", originHost) }
            connection.finish(&output)
            self.writeForwarding(section, to: &output)
            // Behind those of others, as a field of its own (RFC 9110 §7.6.3).
            output.literal(head.version == .http10 ? "Via: 1.0 culvert\r\n" : "Via: 1.1 culvert\r\n")
            output.field("Culvert-Hops") { $0.decimal(HopCount(section).value + 1) }
            output.literal("\r\n")
        }
    }

    private func writeMaxForwards(_ line: FieldLine, _ head: RequestHead, to output: inout HeadWriter) {
        guard case .next(let count) = MaxForwards(head) else { return output.copy(line) }
        output.field(named: line) { $0.decimal(count) }
    }

    /// Whether a visitor wrote the field in which trusted proxies name visitors: nobody but they may, and none with
    /// underscores for the hyphens.
    private func isForgedClientIPHeader(_ line: FieldLine, _ section: FieldSection) -> Bool {
        guard let clientIPHeader, Int(line.name.count) == clientIPHeader.utf8.count else { return false }
        let name = section.text(line.name).asciiLowercased()
        guard !self.visitor.isFromTrustedProxy || name != clientIPHeader else { return false }
        return zip(name.utf8, clientIPHeader.utf8).allSatisfy { byte, wanted in
            byte == wanted || (byte == UInt8(ascii: "_") && wanted == UInt8(ascii: "-"))
        }
    }

    /// How the tunnel's own URLs become the origin's.
    private var requestURLs: RequestURLs {
        RequestURLs(
            visitorOrigin: PublicOrigin(scheme: self.visitor.scheme, host: self.visitor.host),
            prefix: self.visitor.prefix + (self.entry.hidesPrefix(self.policy.pathMode) ? "/\(self.tunnelID)" : ""),
            origin: self.policy.origin.value(with: self.policy.host, originHost: self.originHost)
        )
    }

    /// Writes a field with its value changed, byte for byte as it came if it is not; nothing for an empty one.
    private func write(
        _ line: FieldLine,
        _ section: FieldSection,
        to output: inout HeadWriter,
        _ change: (String) -> String
    ) {
        // Read and written as Latin-1, so that every byte that is not changed stays the byte that it was.
        let value = section.latin1Text(line.value)
        let changed = change(value)
        guard changed != value else { return output.copy(line) }
        guard !changed.isEmpty else { return }
        output.field(named: line) { $0.latin1(changed) }
    }

    private func writeTarget(_ head: RequestHead, to output: inout HeadWriter) {
        switch self.entry {
        case .prefix(let length) where self.policy.pathMode != .keep:
            let rest = FieldLine.Span(start: Int(head.target.start) + length, count: Int(head.target.count) - length)
            // `/<id>` alone, or with a query behind it.
            let start = head.section.bytes.readerIndex + Int(rest.start)
            if rest.count == 0 || head.section.bytes.getInteger(at: start) == UInt8(ascii: "?") {
                output.literal("/")
            }
            output.copy(rest)
        case .fallback where self.policy.pathMode == .keep:
            output.literal("/")
            output.text(self.tunnelID.description)
            output.copy(head.target)
        case .host, .prefix, .fallback, .root: output.copy(head.target)
        }
    }

    /// What `Connection` names is about this connection alone (RFC 9110 §7.6.1), but for fields that end to end
    /// semantics depend on: naming those would let a visitor cut them out.
    private static let neverNamed: Set<String> = [
        "host", "content-length", "content-type", "authorization", "cookie", "close", "keep-alive", "upgrade", "expect",
        "te",
    ]

    private func writeForwarding(_ section: FieldSection, to output: inout HeadWriter) {
        let address = self.visitor.address?.description
        self.writeForwardedFor(section, address, to: &output)
        output.field("X-Forwarded-Proto", self.visitor.scheme)
        if !self.visitor.host.isEmpty { output.field("X-Forwarded-Host", self.visitor.host) }
        self.writePrefix(to: &output)
        if let address { output.field("X-Real-IP", address) }
        self.writeForwarded(address, to: &output)
        if self.visitor.isFromTrustedProxy, let inherited = section.first(.xRequestID) {
            output.field("X-Request-Id", inherited)
        } else {
            output.field("X-Request-Id") { $0.hexadecimal(self.requestID.number) }
        }
    }

    /// Says what proxies in front of the edge have cut off, and then what the edge cuts off.
    private func writePrefix(to output: inout HeadWriter) {
        let outer = self.visitor.prefix
        guard self.entry.isShared, self.entry != .root else {
            if !outer.isEmpty { output.field("X-Forwarded-Prefix", outer) }
            return
        }
        switch self.policy.prefixField {
        case .auto where !self.entry.hidesPrefix(self.policy.pathMode):
            if !outer.isEmpty { output.field("X-Forwarded-Prefix", outer) }
        case .auto, .forwardedPrefix: output.field("X-Forwarded-Prefix") { self.writeWholePrefix(to: &$0) }
        case .scriptName: output.field("X-Script-Name") { self.writeWholePrefix(to: &$0) }
        case .none: break
        }
    }

    private func writeWholePrefix(to output: inout HeadWriter) {
        output.text(self.visitor.prefix)
        output.literal("/")
        output.text(self.tunnelID.description)
    }

    /// The chain as a trusted proxy sent it, and that proxy's own address behind it; else the visitor alone.
    private func writeForwardedFor(_ section: FieldSection, _ address: String?, to output: inout HeadWriter) {
        guard let proxy = self.visitor.proxy?.description else {
            if let address { output.field("X-Forwarded-For", address) }
            return
        }
        var chain = section.values(.xForwardedFor).filter { !$0.isEmpty }
        if chain.isEmpty, let address, address != proxy { chain.append(address) }
        output.field("X-Forwarded-For", (chain + [proxy]).joined(separator: ", "))
    }

    /// One element of RFC 7239, about the visitor.
    ///
    /// A chain of them would have to trust what came in `Forwarded`, which proxies that don't know the field pass on
    /// from strangers.
    private func writeForwarded(_ address: String?, to output: inout HeadWriter) {
        output.literal("Forwarded: ")
        if let address {
            let isQuoted = address.utf8.contains(UInt8(ascii: ":"))
            output.literal(isQuoted ? "for=\"[" : "for=")
            output.text(address)
            output.literal(isQuoted ? "]\";" : ";")
        }
        // A host has neither quotes nor backslashes: ``Visitor`` has none that is not well-formed.
        if !self.visitor.host.isEmpty {
            output.literal("host=\"")
            output.text(self.visitor.host)
            output.literal("\";")
        }
        output.literal("proto=")
        output.text(self.visitor.scheme)
        output.literal("\r\n")
    }
}

/// What of `Connection`, `Upgrade` and `TE` goes to the origin, each in the place where the visitor had it.
private struct ConnectionField {
    private let passesUpgrade: Bool
    private let asksForTrailers: Bool
    /// Whether `Connection` says just that already.
    private let isExact: Bool
    private var isConnectionWritten = false
    private var isTEWritten = false

    init(passesUpgrade: Bool, section: FieldSection) {
        self.passesUpgrade = passesUpgrade
        self.asksForTrailers = section.hasToken(.te, "trailers", parametersMayFollow: true)
        self.isExact =
            (passesUpgrade || self.asksForTrailers) && section.lines.count { $0.known == .connection } == 1
            && Self.says(
                (passesUpgrade ? ["upgrade"] : []) + (self.asksForTrailers ? ["te"] : []),
                section
            )
    }

    private static func says(_ options: [String], _ section: FieldSection) -> Bool {
        section.tokens(.connection, atMost: options.count)?.sorted() == options.sorted()
    }

    /// What goes into `Connection`; mostly nothing, so that no list is made for it.
    private var value: StaticString? {
        switch (self.passesUpgrade, self.asksForTrailers) {
        case (true, true): "Upgrade, TE"
        case (true, false): "Upgrade"
        case (false, true): "TE"
        case (false, false): nil
        }
    }

    mutating func write(_ line: FieldLine, _ section: FieldSection, to output: inout HeadWriter) {
        switch line.known {
        case .upgrade where self.passesUpgrade: output.copy(line)
        case .te where self.asksForTrailers && !self.isTEWritten:
            output.field(named: line) { $0.literal("trailers") }
            self.isTEWritten = true
        case .connection where !self.isConnectionWritten:
            guard let value else { return }
            self.isConnectionWritten = true
            if self.isExact { return output.copy(line) }
            output.field(named: line) { $0.literal(value) }
        default: break
        }
    }

    /// Adds what had no place.
    func finish(_ output: inout HeadWriter) {
        guard let value, !self.isConnectionWritten else { return }
        output.field("Connection") { $0.literal(value) }
    }
}
