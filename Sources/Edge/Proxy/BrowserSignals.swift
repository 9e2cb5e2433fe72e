// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import HTTP1

/// What a browser says of a request and of who asks for it (Fetch Metadata Request Headers, RFC 9110 §10.1.3).
struct BrowserSignals {
    let fallback: PathFallback

    /// Whether the browser would show the answer as a page.
    var isNavigation: Bool { self.fallback.isNavigation }

    /// Reads the signals of a request that lacks a tunnel's prefix.
    ///
    /// - Parameter now: In seconds since 1970.
    init(_ head: RequestHead, _ visitor: Visitor, _ cookie: SignedRecentTunnels, now: Int) {
        let section = head.section
        let isWorker = section.first(.secFetchDest) == "serviceworker" || section.first(.serviceWorker) == "script"
        self.fallback = PathFallback(
            method: head.methodText,
            target: section.text(head.target, atMost: Self.longestLook),
            isUpgrade: head.isUpgrade,
            isNavigation: Self.isNavigation(head),
            site: section.first(.secFetchSite)?.asciiLowercased(),
            isServiceWorker: isWorker,
            origin: section.first(.origin),
            referer: section.first(.referer),
            own: PublicOrigin(scheme: visitor.scheme, host: visitor.host),
            recent: cookie.read(TunnelCookies.recentTunnels(section.values(.cookie)), host: visitor.host, now: now)
        )
    }

    /// How many bytes of a target are looked at: what stands behind the longest id is of no use here.
    private static let longestLook = 512

    /// Whether a browser opens a page of its own, and not in a frame.
    static func opensPage(_ head: RequestHead, _ request: IncomingRequest) -> Bool {
        guard head.hasMethod("GET"), !head.isUpgrade else { return false }
        if let destination = head.section.first(.secFetchDest) { return destination == "document" }
        return request.prefersHTML
    }

    private static func isNavigation(_ head: RequestHead) -> Bool {
        if let mode = head.section.first(.secFetchMode) { return mode == "navigate" }
        return head.hasMethod("GET") && ErrorPage.prefersHTML(accept: head.section.values(.accept))
    }
}
