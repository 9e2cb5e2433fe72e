// SPDX-License-Identifier: Apache-2.0

/// Where what a program remembers for its user is kept.
enum UserState {
    /// A folder below `XDG_STATE_HOME`, or else `~/.local/state`; `nil` where neither is known.
    static func folder(_ name: String, environment: [String: String]) -> String? {
        if let base = environment["XDG_STATE_HOME"], base.hasPrefix("/") { return "\(base)/culvert/\(name)" }
        if let home = environment["HOME"], home.hasPrefix("/") { return "\(home)/.local/state/culvert/\(name)" }
        return nil
    }
}
