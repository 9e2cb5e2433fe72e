// SPDX-License-Identifier: Apache-2.0
import ControlAPI

/// How a request names its tunnel.
enum TunnelEntry: Equatable {
    /// By the tunnel's own host.
    case host
    /// By the first segment of its path: so many bytes of the target, with the slash before it.
    case prefix(Int)
    /// Not at all; what the browser says of who asks does (``PathFallback``), as if the prefix had been there.
    case fallback
    /// Not at all; the tunnel is served at `/` (``PathMode/root``).
    case root

    /// Whether the tunnel shares its host, and so a browser's origin, with others.
    var isShared: Bool { self != .host }

    /// Whether the visitor sees the app below a path that the app itself does not see.
    func hidesPrefix(_ mode: PathMode) -> Bool {
        switch self {
        case .host, .root: false
        case .prefix, .fallback: mode != .keep
        }
    }
}
