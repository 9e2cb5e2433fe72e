// SPDX-License-Identifier: Apache-2.0
import ControlAPI
import EdgeTunnels

/// Where a request on the public listener goes.
enum Route: Equatable {
    /// The control API.
    case controlPlane
    /// A connector's WebSocket; the last segment of its path as it came.
    case connect(tunnelID: String)
    /// The WebSocket of a visitor with an access token; the last segment of its path as it came.
    case access(tunnelID: String)
    /// A tunnel. `prefixLength` bytes of the target name it; 0 if its host does.
    case tunnel(TunnelID, prefixLength: Int)
    /// `/<id>` without the slash behind it, which relative links in the page would need.
    case missingSlash(TunnelID)
    /// A path below `/api/` that is none of the control API's: an app's, or a mistake of a caller.
    case foreignCall
    /// A path that names no tunnel.
    case none
    /// A request that is for no resource of ours, whatever it names.
    case refused(String)

    /// Whether the edge itself is what is asked for, and no tunnel can be.
    var isOwn: Bool {
        switch self {
        case .controlPlane, .connect, .access, .refused: true
        case .tunnel, .missingSlash, .foreignCall, .none: false
        }
    }

    /// Whether connectors and operators ask for it, rather than visitors.
    var isEdgeOwn: Bool {
        switch self {
        case .controlPlane, .connect: true
        case .access, .tunnel, .missingSlash, .foreignCall, .none, .refused: false
        }
    }
}
