// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// What the first bytes of a local server say of its protocol.
package enum OriginSpeech {
    private static let http = Array("HTTP/1.".utf8)

    /// What is wrong with a server that is to speak HTTP, with what to do; `nil` if its bytes begin as an answer does.
    package static func fault(_ bytes: ByteBuffer, of target: OriginTarget) -> String? {
        let begin = bytes.readableBytesView.prefix(Self.http.count)
        guard !Self.http.starts(with: begin) else { return nil }
        // A record of TLS: an alert (RFC 8446 §5.1).
        if begin.first == 0x15 { return Self.isTLS(target) }
        return "\(target.address) speaks something else than HTTP/1.1\(Self.greeting(bytes)): culvert tcp carries that"
    }

    /// Whether bytes begin the answer of many servers to a request without TLS at their port for it.
    static func isBadRequest(_ bytes: ByteBuffer) -> Bool {
        let begin = bytes.readableBytesView
        return begin.starts(with: Self.http) && begin.dropFirst(Self.http.count + 1).starts(with: " 400".utf8)
    }

    /// Whether a server of HTTP without TLS turns out to speak TLS; asked where it has not understood a request.
    ///
    /// - Returns: What is wrong, with what to do.
    package static func tlsFault(of target: OriginTarget) async -> String? {
        guard !target.usesTLS, case .tcp(let host, let port) = target.endpoint, await TLSProbe.finds(host, port) else {
            return nil
        }
        return self.isTLS(target)
    }

    private static func isTLS(_ target: OriginTarget) -> String {
        "\(target.address) speaks TLS: write https:// in front of it"
    }

    /// What a server said first, if that is text: it tells most protocols by name.
    private static func greeting(_ bytes: ByteBuffer) -> String {
        let line = bytes.readableBytesView.prefix(40).prefix { $0 != 0x0d && $0 != 0x0a }
        guard !line.isEmpty, line.allSatisfy({ (0x20...0x7e).contains($0) }) else { return "" }
        return ", “\(String(decoding: line, as: UTF8.self))”"
    }
}
