// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import HTTP1
import NIOCore

/// The answer to a request that the edge can't pass on: HTML for browsers, problem+json (RFC 9457) for programs.
struct ErrorPage {
    var error: VisitorError
    var status: Int
    var requestID: RequestID
    /// What is known beyond the error itself, such as the address that refused; written by us or escaped.
    var detail: String?
    /// Paths of the edge between which the visitor chooses.
    var links: [String] = []
    /// In seconds.
    var retryAfter: Int?
    /// The value of `WWW-Authenticate`.
    var challenge: String?

    /// The whole response.
    ///
    /// - Parameters:
    ///   - isHTML: Whether the visitor is a browser.
    ///   - isHead: Whether the request was HEAD: head only.
    ///   - isClosing: Whether the connection is closed after it.
    func response(isHTML: Bool, isHead: Bool, isClosing: Bool) -> ByteBuffer {
        let body = isHTML ? self.html : self.json
        var head = ResponseHeadWriter(status: self.status, capacity: body.utf8.count + 512)
        head.field("Content-Type", isHTML ? "text/html; charset=utf-8" : "application/problem+json")
        head.field("Content-Length", "\(body.utf8.count)")
        head.field("Culvert-Error", self.error.code)
        head.field("Culvert-Request-Id", self.requestID.description)
        head.field("Cache-Control", "no-store")
        if isHTML { head.field("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'") }
        if let retryAfter { head.field("Retry-After", "\(retryAfter)") }
        if let challenge { head.field("WWW-Authenticate", challenge) }
        if isClosing { head.field("Connection", "close") }
        var output = head.finish()
        if !isHead { output.writeString(body) }
        return output
    }

    /// Whether the `Accept` fields prefer HTML to JSON: browsers name it, programs seldom do (RFC 9110 §12.5.1).
    static func prefersHTML(accept: [String]) -> Bool {
        var (html, json) = (0.0, 0.0)
        for range in accept.flatMap({ $0.split(separator: ",") }) {
            let parts = range.split(separator: ";").map { $0.trimmingSpaces().asciiLowercased() }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            switch parts.first {
            case "text/html", "application/xhtml+xml": html = max(html, weight)
            case "application/json", "application/problem+json": json = max(json, weight)
            // What a program takes anyway says nothing of what it can show.
            default: continue
            }
        }
        return html > 0 && html >= json
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
