// SPDX-License-Identifier: Apache-2.0

/// A name in a file of tunnels that people have from a flag or from another program's file, and what it is called here.
struct FamiliarSetting: Sendable {
    /// The spellings.
    var names: [String]
    /// The place of the setting that is meant.
    var home: SettingHome
    /// That setting.
    var setting: String
    /// What to write instead, where more than a name differs.
    var advice: String?

    /// Finds what a name means.
    ///
    /// - Parameters:
    ///   - letters: The name in lower case, without anything but letters.
    ///   - place: Where it stands.
    static func named(_ letters: String, in place: SettingHome) -> FamiliarSetting? {
        guard self.places.contains(place) else { return nil }
        return self.all.first { $0.names.contains { SettingHome.letters($0) == letters } }
    }

    /// What is said of the name, after the words that there is no such setting.
    func words(in place: SettingHome) -> String {
        if let advice { return advice }
        if place == self.home { return "it is called “\(self.setting)”." }
        return "“\(self.setting)” belongs \(self.home.whither)."
    }

    /// Where they are looked for: the settings of other places have no like elsewhere.
    private static let places: [SettingHome] = [.file, .tunnel, .policy, .credential]

    /// The flags of `culvert http` that a file has no setting for, and the words of ngrok, cloudflared and frp.
    static let all: [FamiliarSetting] = [
        FamiliarSetting(
            names: ["basic-auth-file"],
            home: .credential,
            setting: "password-file",
            advice:
                "under “policy” of a tunnel each entry of the list “basic-auth” has “username” and “password-file”, "
                + "a file with this one password."
        ),
        FamiliarSetting(names: ["user", "user-name", "login"], home: .credential, setting: "username"),
        FamiliarSetting(names: ["pass", "passwd", "pwd"], home: .credential, setting: "password"),
        FamiliarSetting(
            names: ["tls-verify", "verify-tls"],
            home: .tunnel,
            setting: "origin-tls-verify"
        ),
        FamiliarSetting(
            names: ["no-tls-verify", "insecure-skip-verify"],
            home: .tunnel,
            setting: "origin-tls-verify",
            advice: "it is called “origin-tls-verify: off”, beside “target” of a tunnel."
        ),
        FamiliarSetting(
            names: ["addr", "address", "local-port", "local-addr", "service", "upstream"],
            home: .tunnel,
            setting: "target"
        ),
        FamiliarSetting(
            names: ["hostname", "domain", "subdomain", "custom-domain", "custom-domains"],
            home: .tunnel,
            setting: "name",
            advice: "“name” of a tunnel is the first label of its host, as my-app; the edge has the rest."
        ),
        FamiliarSetting(names: ["proto", "protocol", "type"], home: .tunnel, setting: "kind"),
        FamiliarSetting(
            names: ["ca-file", "cafile", "root-cas"],
            home: .file,
            setting: "edge",
            advice: "culvert start --ca-file FILE trusts the edge by it, and culvert login --ca-file FILE remembers it."
        ),
        FamiliarSetting(names: ["remote-port"], home: .tunnel, setting: "port"),
        FamiliarSetting(
            names: ["authtoken", "api-key"],
            home: .file,
            setting: "api-key-file",
            advice: "“api-key-file”, at the top of the file, names a file that holds it."
        ),
        FamiliarSetting(names: ["server-addr", "server", "region"], home: .file, setting: "edge"),
        FamiliarSetting(names: ["ha-connections", "pool-count"], home: .file, setting: "connections"),
        FamiliarSetting(names: ["web-addr", "web-server"], home: .file, setting: "inspect"),
        FamiliarSetting(
            names: ["ingress", "endpoints", "proxies"],
            home: .file,
            setting: "tunnels",
            advice: "“tunnels” is the list of them, each with a “target” as 3000, and a “name” if it is to keep one."
        ),
        FamiliarSetting(names: ["credentials-file", "cred-file"], home: .tunnel, setting: "token-file"),
        FamiliarSetting(names: ["http-host-header", "host-header-rewrite"], home: .tunnel, setting: "host-header"),
        FamiliarSetting(names: ["ca-pool", "origin-ca-pool"], home: .tunnel, setting: "origin-ca-file"),
        FamiliarSetting(
            names: ["origin-request"],
            home: .tunnel,
            setting: "target",
            advice: "“host-header”, “origin-tls-verify” and “origin-ca-file” stand beside “target” of a tunnel."
        ),
        FamiliarSetting(names: ["traffic-policy"], home: .tunnel, setting: "policy"),
    ]
}
