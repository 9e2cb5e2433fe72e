// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Protocol

/// Makes the head that the origin sees from the head that the visitor sent (design: data plane, step 4).
struct RequestRewrite {
    /// How many bytes of the target name the tunnel.
    var prefixLength: Int
    var policy: TunnelPolicy
    var tunnelID: TunnelID
    var visitor: Visitor
    var requestID: RequestID
    /// Whether `Authorization` was for the edge, and is not for the origin.
    var dropsAuthorization = false

    /// What the origin sees in `Host`.
    var originHost: String { self.policy.host.value(visitorHost: self.visitor.host) }

    /// The head as it goes to the origin.
    func head(_ head: RequestHead) -> ByteBuffer {
        let section = head.section
        var output = ByteBufferAllocator().buffer(capacity: section.bytes.readableBytes + 512)
        section.copy(head.method, to: &output)
        output.writeStaticString(" ")
        section.copy(self.target(head), to: &output)
        output.writeStaticString(" HTTP/1.1\r\n")
        let named = self.fieldsNamedByConnection(section)
        var hasHost = false
        for line in section.lines {
            switch line.known {
            case .host:
                hasHost = true
                self.writeHost(line, section, to: &output)
            case let field where field.isForeignForwarding && self.visitor.isFromTrustedProxy:
                section.copy(line, to: &output)
            case let field where field.isHopByHop || field.isForwarding: continue
            case .authorization where self.dropsAuthorization: continue
            default:
                if !named.isEmpty, named.contains(section.text(line.name).lowercased()) { continue }
                section.copy(line, to: &output)
            }
        }
        if !hasHost { self.writeHost(nil, section, to: &output) }
        self.writeConnection(head, to: &output)
        self.writeForwarding(section, to: &output)
        output.writeStaticString("\r\n")
        return output
    }

    private func target(_ head: RequestHead) -> FieldLine.Span {
        guard self.policy.pathMode == .strip, self.prefixLength > 0 else { return head.target }
        return FieldLine.Span(
            start: Int(head.target.start) + self.prefixLength,
            count: Int(head.target.count) - self.prefixLength
        )
    }

    /// What `Connection` names is about this connection alone (RFC 9110 §7.6.1), but for fields that end to end
    /// semantics depend on: naming those would let a visitor cut them out.
    private func fieldsNamedByConnection(_ section: FieldSection) -> [String] {
        let kept: Set<String> = [
            "host", "content-length", "content-type", "authorization", "cookie", "close", "keep-alive", "upgrade",
            "expect", "te",
        ]
        return section.tokens(.connection).filter { !kept.contains($0) }
    }

    private func writeHost(_ line: FieldLine?, _ section: FieldSection, to output: inout ByteBuffer) {
        if let line {
            section.copy(line.name, to: &output)
        } else {
            output.writeStaticString("Host")
        }
        output.writeStaticString(": ")
        output.writeString(self.originHost)
        output.writeStaticString("\r\n")
    }

    private func writeConnection(_ head: RequestHead, to output: inout ByteBuffer) {
        let section = head.section
        if case .chunked = head.framing { output.writeStaticString("Transfer-Encoding: chunked\r\n") }
        var options: [String] = []
        if head.isUpgrade {
            for line in section.lines where line.known == .upgrade { section.copy(line, to: &output) }
            options.append("Upgrade")
        }
        if section.tokens(.te).contains(where: { $0.hasPrefix("trailers") }) {
            output.writeStaticString("TE: trailers\r\n")
            options.append("TE")
        }
        if !options.isEmpty {
            output.writeString("Connection: \(options.joined(separator: ", "))\r\n")
        }
    }

    private func writeForwarding(_ section: FieldSection, to output: inout ByteBuffer) {
        let isTrusted = self.visitor.isFromTrustedProxy
        let address = self.visitor.address?.description
        var forwardedFor = isTrusted ? section.values(.xForwardedFor) : []
        if forwardedFor.isEmpty, let address { forwardedFor = [address] }
        if !forwardedFor.isEmpty {
            output.writeString("X-Forwarded-For: \(forwardedFor.joined(separator: ", "))\r\n")
        }
        output.writeString("X-Forwarded-Proto: \(self.visitor.scheme)\r\n")
        if !self.visitor.host.isEmpty { output.writeString("X-Forwarded-Host: \(self.visitor.host)\r\n") }
        if self.prefixLength > 0, self.policy.pathMode == .strip {
            output.writeString("X-Forwarded-Prefix: /\(self.tunnelID)\r\n")
        }
        if let address { output.writeString("X-Real-IP: \(address)\r\n") }
        output.writeString("Forwarded: \(self.forwarded(address))\r\n")
        let inherited = isTrusted ? section.first(.xRequestID) : nil
        output.writeString("X-Request-Id: \(inherited ?? self.requestID.description)\r\n")
    }

    /// One element of RFC 7239.
    private func forwarded(_ address: String?) -> String {
        var pairs: [String] = []
        if let address { pairs.append(address.contains(":") ? "for=\"[\(address)]\"" : "for=\(address)") }
        if !self.visitor.host.isEmpty { pairs.append("host=\"\(self.visitor.host)\"") }
        pairs.append("proto=\(self.visitor.scheme)")
        return pairs.joined(separator: ";")
    }
}
