// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import HTTP1

/// Finds the tunnel of a request that lacks the tunnel's prefix, by what the browser says of who asks (docs/http.md).
///
/// An app that is served at `/<id>/` and believes itself at `/` asks for `/assets/app.js`. Its pages have a `Referer`
/// that names the tunnel; what has none is for the tunnel whose page the browser opened last, if there is one alone. What
/// another site asks for is never led anywhere, and what a page of a tunnel that is gone asks for is nobody's.
struct PathFallback {
    /// How requests of a tunnel are led back to it.
    enum Kind: Equatable {
        /// To its prefix.
        case prefix
        /// Not at all: the tunnel is served at `/` (``PathMode/root``).
        case root
        /// Not at all: the tunnel, or the edge, wants none of them.
        case declined
    }

    /// What becomes of a request.
    enum Decision: Equatable {
        /// It belongs to no tunnel, as far as can be told.
        case none
        /// The browser is sent to the tunnel's path, so that what it asks for next names the tunnel.
        case redirect(TunnelID)
        /// The tunnel gets it as if the prefix had been there.
        case route(TunnelID)
        /// The tunnel gets it as it is.
        case root(TunnelID)
        /// It may be for any of these tunnels.
        case ambiguous([TunnelID])
    }

    let method: String
    /// The request target, or its beginning.
    let target: String
    let isUpgrade: Bool
    /// Whether the browser would show the answer as a page.
    let isNavigation: Bool
    /// `Sec-Fetch-Site`, if the browser sends such fields: older ones don't, nor any to a site without TLS.
    let site: String?
    let isServiceWorker: Bool
    let origin: String?
    let referer: String?
    /// The edge's own origin.
    let own: PublicOrigin
    /// Which tunnels the browser opened.
    let recent: RecentTunnels

    /// Decides on the request.
    ///
    /// - Parameters:
    ///   - now: In seconds since 1970.
    ///   - kind: How requests are led back to a tunnel; `nil` if there is no such tunnel.
    func decision(now: Int, kind: (TunnelID) -> Kind?) -> Decision {
        guard self.isFromHere else { return .none }
        // The path of a tunnel that this browser opened is no other's, be the tunnel gone or not back yet.
        if let id = Self.tunnelID(ofPath: self.target[...]), self.wasOpened(id) { return .none }
        if let referer {
            // A page of another site: a link or a form that leads to a path of ours.
            guard let rest = self.own.rest(of: referer) else { return .none }
            if let id = Self.tunnelID(ofPath: rest) {
                if let kind = kind(id) { return self.decision(id, kind) }
                if self.wasOpened(id) { return .none }
            }
        }
        let known = self.recent.entries.compactMap { entry in kind(entry.id).map { (entry, $0) } }
            .filter { $0.1 != .declined }
        guard let (newest, newestKind) = known.first else { return .none }
        // A tunnel at `/` has the whole of it while it is the last one that was opened.
        if newestKind == .root { return .root(newest.id) }
        // The page of a tunnel that is gone may be open, and ask, all the same.
        let open = self.recent.entries.filter { now - $0.openedAt < RecentTunnels.openTime }.map(\.id)
        if open.count > 1 || open.first.map({ $0 != newest.id }) ?? false {
            return .ambiguous(known.map(\.0.id).filter { open.contains($0) || $0 == newest.id })
        }
        // Nothing says that this page is not called from another site, which may not know the tunnel's id.
        if self.site == nil, self.isNavigation, self.referer == nil, self.origin == nil {
            return .ambiguous([newest.id])
        }
        return self.decision(newest.id, newestKind)
    }

    private func wasOpened(_ id: TunnelID) -> Bool { self.recent.entries.contains { $0.id == id } }

    private func decision(_ id: TunnelID, _ kind: Kind) -> Decision {
        switch kind {
        case .root: return .root(id)
        case .declined: return .none
        case .prefix: break
        }
        let isSafe = (self.method == "GET" || self.method == "HEAD") && !self.isUpgrade
        return isSafe ? .redirect(id) : .route(id)
    }

    /// Whether nothing says that another site is behind the request, and the person at the browser does not either.
    private var isFromHere: Bool {
        // A service worker of `/` would own every tunnel.
        guard !self.isServiceWorker else { return false }
        switch self.site {
        case nil, "same-origin": break
        case "none": guard self.method == "GET", self.isNavigation else { return false }
        default: return false
        }
        switch self.origin {
        // Browsers always send it with a WebSocket's handshake, and nothing else about its page.
        case nil: return !self.isUpgrade
        // A form of a page that hides where it is; only `Sec-Fetch-Site` can tell whose.
        case "null": return self.site == "same-origin"
        case let origin?: return self.own.matches(origin)
        }
    }

    /// The tunnel that the first segment of a path names.
    private static func tunnelID(ofPath rest: Substring) -> TunnelID? {
        guard rest.first == "/" else { return nil }
        return TunnelID(rest.dropFirst().prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    }
}
