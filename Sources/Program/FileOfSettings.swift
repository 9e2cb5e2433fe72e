// SPDX-License-Identifier: Apache-2.0

/// Which of the two programs a YAML file is for: people give one's to the other.
package enum FileOfSettings {
    /// Settings of `culvert-edge`.
    case edge
    /// Tunnels for `culvert start`.
    case tunnels

    /// Settings that an edge's file has, and neither a file of tunnels nor one of another program of that kind.
    private static let ofEdge: Set<String> = ["listen", "public", "admin", "cluster", "environment", "tls-passthrough"]

    /// Tells by the names at the top of a file; `nil` if they don't tell.
    package init?(keys: some Sequence<String>) {
        let keys = Set(keys)
        switch (keys.isDisjoint(with: Self.ofEdge), keys.contains("tunnels")) {
        case (false, false): self = .edge
        case (true, true): self = .tunnels
        default: return nil
        }
    }
}
