// SPDX-License-Identifier: Apache-2.0

import Program

/// What somebody has probably meant by a key that no setting has.
struct SettingSuggestion {
    /// Every setting's key, as `tunnel.request-timeout`.
    let keys: [String]
    /// The layer that has the unknown key.
    let layer: SettingLayer

    /// The most settings that are named.
    private static let most = 3

    /// What the configuration of frp's server and others calls a setting, by its letters.
    private static let familiar: [(names: [String], setting: String)] = [
        (["port", "bindport", "bindaddr", "addr", "address", "vhosthttpport", "vhosthttpsport"], "listen"),
        (["domain", "domains", "subdomainhost"], "public.wildcard-domain"),
        (["url", "baseurl"], "public.url"),
        (["dashboardport", "dashboardaddr", "webserverport", "webserveraddr"], "admin.listen"),
        (["cert", "certfile", "crt", "tlscert", "tlscrt", "tlscertfile", "transporttlscertfile"], "tls.certificate"),
        (["keyfile", "tlskeyfile", "tlscertkey", "transporttlskeyfile"], "tls.key"),
        (["allowports", "portrange"], "tcp.ports"),
        (["loglevel"], "log.level"),
        (["logto", "logfile"], "log.file"),
    ]

    /// The end of the sentence "there is no such setting", or nothing.
    func words(for key: String) -> String {
        let letters = Self.words(of: key, in: self.layer).joined()
        if ["token", "authtoken", "authmethod"].contains(letters) {
            return "; an API key for whoever makes tunnels is made by culvert-edge credentials new"
        }
        if ["metrics", "enableprometheus"].contains(letters) {
            return "; there are metrics at /metrics of \(self.layer.spelling("admin.listen"))"
        }
        if let setting = Self.familiar.first(where: { $0.names.contains(letters) })?.setting,
            self.keys.contains(setting)
        {
            return "; it is called \(self.layer.spelling(setting)) here"
        }
        let file = "--config"
        if self.layer.source == .flags, ["configfile", "configpath", "conf", "cfg", "settings"].contains(letters) {
            return "; it is called \(file) here"
        }
        // The same words at another level, before a slip of the keyboard in one of them.
        let moved = self.moved(key)
        if let found = moved.first {
            guard self.layer.source == .file else { return "; did you mean \(self.layer.spelling(found))?" }
            return "; " + moved.map(Self.place).joined(separator: ", or ")
        }
        // What the command line has beside the settings, and a shorter word than most of these.
        let others = self.layer.source == .flags ? [file, "--help", "--version"] : []
        if let word = NearestWord.to(key, among: self.keys.map(self.layer.spelling) + others) {
            return "; did you mean \(word)?"
        }
        let below = self.layer.source == .file ? self.keys.filter { $0.hasPrefix(key + ".") } : []
        if !below.isEmpty { return "; it holds settings: \(below.joined(separator: ", "))" }
        let alike = self.layer.source == .file ? self.alike(key) : []
        return alike.isEmpty ? "" : "; " + alike.map(Self.place).joined(separator: ", or ")
    }

    /// The settings that are this key one level higher or deeper, or written with other signs between its words.
    private func moved(_ key: String) -> [String] {
        let words = Self.words(of: key, in: self.layer)
        let found = self.keys.filter { known in
            let other = Self.words(of: known)
            return other == words || Self.ends(other, with: words)
                || self.layer.source == .file && Self.ends(words, with: other)
        }
        return found.count > Self.most ? [] : found
    }

    /// The settings whose own name, without those above, is that of the key.
    private func alike(_ key: String) -> [String] {
        let name = key.split(separator: ".").last
        let found = self.keys.filter { $0.split(separator: ".").last == name }
        return found.count > Self.most ? [] : found
    }

    /// Where a setting of the file belongs.
    private static func place(_ key: String) -> String {
        let parts = key.split(separator: ".")
        guard let name = parts.last, parts.count > 1 else { return "\(key) belongs at the top of the file" }
        return "\(name) belongs under \(parts.dropLast().joined(separator: ".")), as \(key)"
    }

    private static func ends(_ words: [Substring], with other: [Substring]) -> Bool {
        words.count > other.count && words.suffix(other.count) == other[...]
    }

    /// The words of a key in a layer's own spelling.
    private static func words(of key: String, in layer: SettingLayer) -> [Substring] {
        switch layer.source {
        case .flags: self.words(of: String(key.drop { $0 == "-" }))
        case .environment: self.words(of: String(key.dropFirst("CULVERT_".count)))
        case .file: self.words(of: key)
        }
    }

    private static func words(of key: String) -> [Substring] {
        Substring(key.lowercased()).split { ".-_".contains($0) }
    }
}
