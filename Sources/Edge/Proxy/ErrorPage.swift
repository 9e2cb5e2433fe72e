// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import NIOCore

/// The answer to a request that the edge can't pass on: HTML for browsers, problem+json (RFC 9457) for programs.
struct ErrorPage {
    let error: VisitorError
    let status: Int
    let requestID: RequestID
    /// What is known beyond the error itself, such as the address that refused; written by us or escaped.
    private(set) var detail: String?
    /// Paths of the edge between which the visitor chooses.
    private(set) var links: [String] = []
    /// In seconds.
    private(set) var retryAfter: Int?
    /// The value of `WWW-Authenticate`.
    private(set) var challenge: String?
    /// When it is made.
    private(set) var date: HTTPDate?

    /// The whole response.
    ///
    /// - Parameters:
    ///   - isHTML: Whether the visitor is a browser.
    ///   - isHead: Whether the request was HEAD: head only.
    ///   - isClosing: Whether the connection is closed after it.
    func response(isHTML: Bool, isHead: Bool, isClosing: Bool) -> ByteBuffer {
        let body = isHTML ? self.html : self.json
        var output = HeadWriter.response(status: self.status, room: body.utf8.count + 512) { head in
            if let date { head.field("Date", date.write) }
            head.field("Content-Type", isHTML ? "text/html; charset=utf-8" : "application/problem+json")
            head.field("Content-Length") { $0.decimal(body.utf8.count) }
            head.field("Culvert-Error", self.error.code)
            head.field("Culvert-Request-Id", self.requestID.description)
            head.field("Cache-Control", "no-store")
            if isHTML { head.field("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") }
            if let retryAfter { head.field("Retry-After") { $0.decimal(retryAfter) } }
            if let challenge { head.field("WWW-Authenticate", challenge) }
            if isClosing { head.field("Connection", "close") }
        }
        if !isHead { output.writeString(body) }
        return output
    }

    /// Whether the `Accept` fields prefer HTML to JSON: browsers name it, programs seldom do (RFC 9110 §12.5.1).
    static func prefersHTML(accept: [String]) -> Bool {
        var (html, json) = (0.0, 0.0)
        for value in accept {
            var value = value
            value.withUTF8 { bytes in
                _ = ListMembers.each(of: UnsafeRawBufferPointer(bytes)) { range in
                    switch Self.kind(range) {
                    case .html: html = max(html, Self.weight(range))
                    case .json: json = max(json, Self.weight(range))
                    // What a program takes anyway says nothing of what it can show.
                    case nil: break
                    }
                    return true
                }
            }
        }
        return html > 0 && html >= json
    }

    /// Whether what came of a head that is too long shows that a browser sent it: too many cookies bring people here.
    static func prefersHTML(unfinishedHead bytes: ByteBuffer) -> Bool {
        let lines = bytes.readableBytesView.split(separator: UInt8(ascii: "\n"), maxSplits: 256)
        let accept = lines.filter { line in line.prefix(7).withUnsafeBytes { ByteClass.equals($0, "accept:") } }
        let values = accept.map { $0.dropFirst(7).filter { $0 != UInt8(ascii: "\r") } }
        return Self.prefersHTML(accept: values.map { String(decoding: $0, as: UTF8.self) })
    }

    private enum Kind {
        case html
        case json
    }

    /// Which of our two kinds of answer a media range names; most name neither, and no text is made of them.
    private static func kind(_ range: UnsafeRawBufferPointer) -> Kind? {
        var kind: Kind?
        _ = ListMembers.each(of: range, separator: UInt8(ascii: ";")) { type in
            if ByteClass.equals(type, "text/html") || ByteClass.equals(type, "application/xhtml+xml") {
                kind = .html
            } else if ByteClass.equals(type, "application/json") || ByteClass.equals(type, "application/problem+json") {
                kind = .json
            }
            return false
        }
        return kind
    }

    /// The `q` of a media range; 1 if there is none, and 0 for one that can't be read.
    private static func weight(_ range: UnsafeRawBufferPointer) -> Double {
        var weight = 1.0
        _ = ListMembers.each(of: range, separator: UInt8(ascii: ";")) { part in
            guard part.count >= 2, part[0] | 0x20 == UInt8(ascii: "q"), part[1] == UInt8(ascii: "=") else {
                return true
            }
            // Three digits behind the point are enough (RFC 9110 §12.4.2).
            weight = part.count <= 16 ? Double(String(decoding: part.dropFirst(2), as: UTF8.self)) ?? 0 : 0
            return false
        }
        return weight
    }

    private var json: String {
        var members = [
            "\"type\":\"urn:culvert:error:\(self.error.code)\"", "\"title\":\"\(Self.jsonEscaped(self.error.title))\"",
            "\"status\":\(self.status)", "\"code\":\"\(self.error.code)\"",
            "\"detail\":\"\(Self.jsonEscaped([self.detail, self.error.advice].compactMap(\.self).joined(separator: " ")))\"",
            "\"side\":\"\(self.error.side)\"", "\"request_id\":\"\(self.requestID)\"",
        ]
        if let retryAfter { members.append("\"retry_after\":\(retryAfter)") }
        return "{\(members.joined(separator: ","))}\n"
    }

    private var html: String {
        let detail = self.detail.map { "<p class=\"detail\">\(Self.htmlEscaped($0))</p>" } ?? ""
        let links = self.links.map { link in
            "<li><a href=\"\(Self.htmlEscaped(link))\">\(Self.htmlEscaped(link))</a></li>"
        }
        let choice = links.isEmpty ? "" : "<ul>\(links.joined())</ul>"
        let steps = ["you", "edge", "tunnel", "origin"].map { step in
            let isBroken = step == (self.error.side == "visitor" ? "you" : self.error.side)
            return "<li\(isBroken ? " class=\"broken\"" : "")>\(step == "origin" ? "local server" : step)</li>"
        }
        return """
            <!doctype html><html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width,initial-scale=1"><title>\(Self.htmlEscaped(self.error.title))</title>
            <style>
            :root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6577;--ground:#f6f7f9;--card:#fff;--line:#dfe3ea;--bad:#c62f3b}
            @media(prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#9aa4b5;--ground:#12161d;--card:#1b212b;--line:#2d3644;--bad:#ff6b76}}
            *{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
            main{max-width:38rem;width:100%;background:var(--card);border:1px solid var(--line);border-radius:14px;padding:2rem}
            h1{font-size:1.35rem;line-height:1.3;margin:0 0 .75rem}p{margin:0 0 1rem}.detail{color:var(--soft)}
            ol{display:flex;gap:.5rem;list-style:none;margin:0 0 1.5rem;padding:0;font-size:.85rem}
            ul{margin:0 0 1rem;padding-left:1.2rem;overflow-wrap:anywhere}ol li{flex:1;text-align:center;padding:.35rem .2rem;border:1px solid var(--line);border-radius:8px;color:var(--soft)}
            ol li.broken{border-color:var(--bad);color:var(--bad);font-weight:600}
            footer{border-top:1px solid var(--line);padding-top:1rem;font-size:.8rem;color:var(--soft);word-break:break-all}
            </style></head><body><main>
            <ol>\(steps.joined())</ol>
            <h1>\(Self.htmlEscaped(self.error.title))</h1>\(detail)
            <p>\(Self.htmlEscaped(self.error.advice))</p>\(choice)
            <footer>\(self.status) · \(self.error.code) · request \(self.requestID)</footer>
            </main></body></html>

            """
    }

    static func htmlEscaped(_ text: String) -> String {
        var output = ""
        for character in text {
            switch character {
            case "&": output += "&amp;"
            case "<": output += "&lt;"
            case ">": output += "&gt;"
            case "\"": output += "&quot;"
            case "'": output += "&#39;"
            default: output.append(character)
            }
        }
        return output
    }

    static func jsonEscaped(_ text: String) -> String {
        var output = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: output.unicodeScalars.append(scalar)
            }
        }
        return output
    }
}
