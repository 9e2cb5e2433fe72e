// SPDX-License-Identifier: Apache-2.0
import HTTP1
import NIOCore

/// Makes the head that the visitor sees from the head that the origin sent (docs/http.md).
struct ResponseRewrite {
    /// How the body reaches the visitor.
    enum Framing: Equatable {
        /// As the origin framed it.
        case asReceived
        /// In chunks of ours: the origin's body ends with its connection, the visitor's need not.
        case chunked
        /// To the end of the connection, for visitors that know no chunks.
        case untilClose
    }

    /// What the visitor is told of the connection.
    enum Connection: Equatable {
        /// Nothing: HTTP/1.1 connections are kept, and interim responses say nothing of it.
        case kept
        /// Kept, for an HTTP/1.0 visitor who asked.
        case keepAlive
        case close

        fileprivate var option: String? {
            switch self {
            case .kept: nil
            case .keepAlive: "keep-alive"
            case .close: "close"
            }
        }
    }

    let urls: ResponseURLs
    /// What is to be minded because the tunnel shares its origin; `nil` on a host of its own.
    private(set) var shared: SharedOrigin?

    /// Fields that frame the message are never about one connection alone, whoever names them.
    private static let neverNamed: Set<String> = [
        "close", "keep-alive", "upgrade", "content-length", "transfer-encoding", "content-type",
    ]

    /// The head as it goes to the visitor.
    ///
    /// - Parameters:
    ///   - head: The origin's.
    ///   - framing: How the body reaches the visitor.
    ///   - connection: What the visitor is told of the connection.
    ///   - date: When the response was received, for one that does not say when it was made (RFC 9110 §6.6.1).
    ///   - spare: Memory that is used again if nobody else holds it.
    func head(
        _ head: ResponseHead,
        framing: Framing,
        connection: Connection,
        date: HTTPDate? = nil,
        spare: consuming ByteBuffer = ByteBuffer()
    ) -> ByteBuffer {
        let section = head.section
        let named = section.linesNamedByConnection(except: Self.neverNamed)
        // 101 names the protocol that follows, 426 those that it would take (RFC 9110 §15.5.22). Anywhere else the field
        // is about the origin's connection alone.
        let passesUpgrade = (head.status == 101 || head.status == 426) && section.contains(.upgrade)
        return HeadWriter.response(like: head, spare: consume spare) { output in
            var isFramed = false
            var options = passesUpgrade ? ["Upgrade"] : []
            if let option = connection.option { options.append(option) }
            for (index, line) in section.lines.enumerated() {
                if !named.isEmpty, named[index] { continue }
                switch line.known {
                case .other: output.copy(line)
                case .connection:
                    guard !options.isEmpty else { continue }
                    if options.map({ $0.lowercased() }) == section.tokens(.connection, atMost: options.count) {
                        output.copy(line)
                    } else {
                        output.field(named: line) { $0.text(options.joined(separator: ", ")) }
                    }
                    options.removeAll()
                case .upgrade:
                    if passesUpgrade { output.copy(line) }
                case .contentLength, .transferEncoding:
                    // Once, whatever the origin has repeated.
                    guard !isFramed, self.passesFraming(line, head, framing) else { continue }
                    isFramed = true
                    self.writeFraming(line, section, to: &output)
                default: self.write(line, section, to: &output)
                }
            }
            if let shared, !head.isInformational { self.writeShared(shared, section, to: &output) }
            if let date, !head.isInformational, !section.contains(.date) { output.field("Date", date.write) }
            if framing == .chunked { output.literal("Transfer-Encoding: chunked\r\n") }
            if !options.isEmpty { output.field("Connection", options.joined(separator: ", ")) }
        }
    }

    /// Whether the visitor sees how the origin framed its response.
    ///
    /// 1xx and 204 must not have a length or coding (RFC 9112 §6.1, RFC 9110 §8.6); a visitor that believed one would
    /// read the next response wrong.
    private func passesFraming(_ line: FieldLine, _ head: ResponseHead, _ framing: Framing) -> Bool {
        if head.isInformational { return false }
        if line.known == .transferEncoding { return framing == .asReceived && head.status != 204 }
        // RFC 9112 §6.3: the coding overrides it.
        if head.section.contains(.transferEncoding) { return false }
        return head.status != 204 || head.section.text(line.value) == "0"
    }

    private func writeFraming(_ line: FieldLine, _ section: FieldSection, to output: inout HeadWriter) {
        let value = section.text(line.value)
        guard value.utf8.contains(UInt8(ascii: ",")), let length = value.split(separator: ",").first else {
            return output.copy(line)
        }
        output.field(named: line) { $0.text(length.trimmingSpaces()) }
    }

    private func write(_ line: FieldLine, _ section: FieldSection, to output: inout HeadWriter) {
        switch line.known {
        case .culvertError, .culvertRequestID: return
        case .serviceWorkerAllowed, .clearSiteData, .altSvc, .strictTransportSecurity:
            // All tunnels in path mode share one browser origin, for which no single one may speak.
            if !self.urls.isPathMode { output.copy(line) }
        case .location, .contentLocation: self.write(line, section, to: &output) { self.urls.publicURL($0) }
        case .link: self.write(line, section, to: &output) { self.urls.publicLinks($0) }
        case .refresh: self.write(line, section, to: &output) { self.urls.publicRefresh($0) }
        case .accessControlAllowOrigin:
            self.write(line, section, to: &output) { self.urls.publicOrigin($0) }
        case .setCookie: self.writeCookie(line, section, to: &output)
        case .cacheControl:
            self.write(line, section, to: &output) { self.shared?.cacheControl($0) ?? $0 }
        case .cdnCacheControl, .surrogateControl:
            // They speak to caches between here and the browser, for which the tunnel at `/` is not always the same.
            if self.shared?.isRoot != true { output.copy(line) }
        case let field where field.isHopByHop: return
        default: output.copy(line)
        }
    }

    private func writeCookie(_ line: FieldLine, _ section: FieldSection, to output: inout HeadWriter) {
        guard let shared else { return self.write(line, section, to: &output) { self.urls.publicCookie($0) } }
        let value = section.latin1Text(line.value)
        for cookie in shared.cookies(of: value, first: self.urls.publicCookie(value)) {
            self.write(line, section, to: &output) { _ in cookie }
        }
    }

    /// Adds what the browser and caches have to know of a tunnel that shares its origin.
    private func writeShared(_ shared: SharedOrigin, _ section: FieldSection, to output: inout HeadWriter) {
        if let opened = shared.opened { output.field("Set-Cookie", opened) }
        guard shared.isRoot else { return }
        if !section.contains(.cacheControl) { output.field("Cache-Control", shared.cacheControl("")) }
        output.field("Vary", "Cookie")
    }

    /// Writes a field with its value changed, byte for byte as it came if it is not.
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
        output.field(named: line) { $0.latin1(changed) }
    }
}
