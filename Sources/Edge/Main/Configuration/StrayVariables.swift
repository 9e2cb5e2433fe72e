// SPDX-License-Identifier: Apache-2.0

import Program

/// Variables that begin as those of the edge do, and are no settings.
///
/// The reader of settings refuses every other one that it does not know. Those that begin with `CULVERT_EDGE_` it can't
/// refuse: an orchestrator puts such ones into the environment of whatever runs beside a service named `culvert-edge`.
enum StrayVariables {
    /// The most that are named.
    private static let most = 4
    private static let prefix = "CULVERT_"
    private static let edgePrefix = "CULVERT_EDGE_"
    /// Those of the scripts of a clone.
    private static let ours: Set<String> = ["CULVERT_EDGE_BIN"]

    /// Whether an orchestrator has set a variable, to tell where a service is.
    ///
    /// Kubernetes sets `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_SERVICE_PORT_HTTP`, `NAME_PORT`, `NAME_PORT_80_TCP` and
    /// `NAME_PORT_80_TCP_ADDR` in every pod beside a service, as links of Docker did.
    static func isOfOrchestrator(_ name: String, value: String) -> Bool {
        let words = name.split(separator: "_")
        if let place = words.lastIndex(of: "SERVICE"), place + 1 < words.count {
            return words[place + 1] == "PORT" || words[(place + 1)...] == ["HOST"]
        }
        guard let place = words.lastIndex(where: { ["TCP", "UDP", "SCTP"].contains($0) }), place > 1,
            words[place - 2] == "PORT", words[place - 1].allSatisfy(\.isNumber)
        else {
            // Somebody's own would have a number.
            return words.last == "PORT" && ["tcp://", "udp://", "sctp://"].contains { value.hasPrefix($0) }
        }
        return place + 1 == words.count || [["PROTO"], ["PORT"], ["ADDR"]].contains(words[(place + 1)...])
    }

    /// Sentences about variables that do nothing, and that somebody has probably meant to do something.
    ///
    /// - Parameters:
    ///   - environment: The environment. No value of it is shown.
    ///   - keys: Every setting, as `tunnel.request-timeout`.
    static func warnings(_ environment: [String: String], keys: [String]) -> [String] {
        let layer = SettingLayer(environment: [:])
        let stray = environment.filter { name, value in
            name.hasPrefix(self.edgePrefix) && !self.ours.contains(name)
                && !self.isOfOrchestrator(name, value: value)
        }.keys.sorted()
        var warnings = stray.prefix(self.most).map { name in
            let meant = self.prefix + name.dropFirst(self.edgePrefix.count)
            let isSetting = keys.contains { layer.spelling($0) == meant }
            let advice =
                isSetting
                ? "; did you mean \(meant)?" : SettingSuggestion(keys: keys, layer: layer).words(for: meant)
            return "the environment variable \(name) does nothing: there is no such setting\(advice)"
        }
        if stray.count > self.most { warnings.append("\(stray.count - self.most) more such variables do nothing") }
        return warnings
    }
}
