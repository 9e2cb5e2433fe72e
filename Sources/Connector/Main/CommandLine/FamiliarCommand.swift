// SPDX-License-Identifier: Apache-2.0

/// A command of another program that people type here out of habit, and the one to use here.
enum FamiliarCommand {
    /// The advice for words of which the first is no command; `nil` if nobody is known to type it.
    static func advice(for words: [String]) -> String? {
        guard let first = words.first?.lowercased() else { return nil }
        // cloudflared's commands for tunnels are two words.
        if first == "tunnel", let advice = words.dropFirst().first.flatMap(Self.ofTunnel) {
            return advice
        }
        return self.all.first { $0.words.contains(first) }?.advice
    }

    private static func ofTunnel(_ word: String) -> String? {
        switch word.lowercased() {
        case "list", "create", "delete", "token", "status": "It is culvert tunnels \(word.lowercased())."
        case "info": "It is culvert tunnels status."
        case "ingress": "A file of tunnels is checked by culvert config check."
        case "run":
            "One tunnel is served by culvert http 3000, a file of tunnels by culvert start, one with a token by culvert connect."
        case "cleanup": "An edge forgets connections by itself. See culvert tunnels --help."
        case "login": "culvert login stores the edge and the API key."
        case "route": "There is nothing to set: the edge gives each tunnel its address, and one DNS record serves all."
        default: nil
        }
    }

    private static let all: [(words: [String], advice: String)] = [
        (["tunnel", "https", "expose", "local", "quick"], "A local server is exposed by culvert http 3000."),
        (["authtoken", "auth", "add-authtoken"], "culvert login stores the edge and the API key."),
        (["signout", "sign-out", "log-out", "unlink"], "culvert logout removes what culvert login has stored."),
        (["uninstall"], "A program is removed as it was installed; culvert logout removes its key."),
        (["credentials"], "Keys are made by the server's program: culvert-edge credentials new."),
        (["health"], "The server's program tells it: culvert-edge health. culvert diagnose tries the whole way."),
        (["run", "up", "start-all"], "A file of tunnels is served by culvert start."),
        (
            ["share", "serve"],
            "A local server is exposed by culvert http 3000, a folder by culvert http ./folder, a file of tunnels by culvert start."
        ),
        (["status", "list", "ls", "create", "delete", "rm", "info"], "See culvert tunnels --help."),
        (["verify", "validate"], "A file of tunnels is checked by culvert config check."),
        (["reload"], "culvert start takes up a changed file when it gets SIGHUP."),
        (["stop", "kill", "down"], "Ctrl-C, or SIGTERM, ends a culvert that serves."),
        (["whoami", "init"], "culvert login stores the edge and the API key, and says how many tunnels the key has."),
        (["api"], "The edge's API is described at /api/openapi.json of its address."),
        (["logs", "log", "inspect", "replay", "traffic"], "See culvert requests --help."),
        (["version"], "culvert --version tells it."),
        (["udp"], "Tunnels carry TCP, TLS and HTTP: there are none of UDP."),
        (
            ["stcp", "xtcp", "private", "visitor"],
            "A server is reached without a public address by culvert tcp 22 --private, and culvert access NAME where its "
                + "visitors are."
        ),
        (["ssh"], "An SSH server is reached by culvert tcp 22."),
        (["update", "upgrade"], "culvert is updated as it was installed: with the newer package, archive or image."),
        (["doctor", "check", "ping", "test"], "culvert diagnose tries everything that a tunnel needs."),
        (["file", "files", "dir", "static"], "A folder is shared by culvert http ./folder."),
        (["server", "edge", "frps", "daemon"], "The server is a program of its own: culvert-edge."),
    ]
}
