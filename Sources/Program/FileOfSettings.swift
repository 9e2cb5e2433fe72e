// SPDX-License-Identifier: Apache-2.0

/// Which of the two programs a YAML file is for: people give one's to the other.
package enum FileOfSettings {
    /// Settings of `culvert-edge`.
    case edge
    /// Tunnels for `culvert start`.
    case tunnels

    /// What a name at the top of a file has.
    package enum Content {
        case text
        case list
        case mapping
    }

    /// Settings that an edge's file has, and neither a file of tunnels nor one of another program of that kind.
    private static let ofEdge: Set<String> = ["listen", "admin", "cluster", "environment", "tls-passthrough"]

    /// Tells by the names at the top of a file, and what they have; `nil` if they don't tell.
    package init?(_ settings: some Sequence<(name: String, content: Content)>) {
        var (isOfEdge, hasTunnels) = (false, false)
        for (name, content) in settings {
            switch name {
            // A tunnel has a setting of this name, too: on or off.
            case "public": isOfEdge = isOfEdge || content == .mapping
            case "tunnels": hasTunnels = hasTunnels || content == .list
            default: isOfEdge = isOfEdge || Self.ofEdge.contains(name)
            }
        }
        switch (isOfEdge, hasTunnels) {
        case (true, false): self = .edge
        case (false, true): self = .tunnels
        default: return nil
        }
    }
}
