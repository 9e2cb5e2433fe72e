// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program

/// The arguments as they were typed, read with the habits of other programs in mind.
struct TypedCommand {
    /// The arguments without the program's name.
    let words: [String]

    /// The commands whose flags have aliases.
    private static let aliased: [[String]] = [["http"], ["tcp"], ["tunnels", "create"]]

    /// The commands whose `--name` is that of a tunnel.
    private static let naming: [[String]] = [["http"], ["tcp"], ["tls"], ["tunnels", "create"]]

    /// The arguments as the parser knows them: a target alone is `http`, and aliases are replaced.
    var understood: [String] {
        guard let first = self.words.first else { return [] }
        let words = Self.isTarget(first) ? ["http"] + self.words : self.words
        guard let command = Self.aliased.first(where: { words.starts(with: $0) }) else { return words }
        var understood = Array(words.prefix(command.count))
        var rest = words.dropFirst(command.count)
        // What follows a flag may be its value.
        let hasTarget = zip([""] + rest, rest).contains {
            !$0.hasPrefix("-") && !$1.hasPrefix("-") && Self.isTarget($1)
        }
        while let word = rest.popFirst() {
            guard word != "--" else { return understood + [word] + rest }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let meaning = FamiliarFlag.named(parts[0])?.meaning, word.hasPrefix("--") else {
                understood.append(word)
                continue
            }
            switch meaning {
            case .advice:
                understood.append(word)
            case .toggle(let flag):
                if parts.dropFirst().first != "false" { understood.append(flag) }
            case .alias(let replacement):
                understood += replacement.dropLast()
                understood.append(([replacement.last ?? ""] + parts.dropFirst()).joined(separator: "="))
            case .label(let flag):
                guard let value = parts.dropFirst().first ?? rest.popFirst() else { return understood + [word] }
                // cloudflared's --url is the local server, wherever it is.
                let isServer = !hasTarget && ["http://", "https://"].contains { value.hasPrefix($0) }
                if Self.isLocal(value) || command == ["http"] && isServer {
                    understood.append(value)
                } else if command == ["tcp"], let port = Self.port(of: value) {
                    understood += ["--port", port]
                } else {
                    understood += [flag, Self.label(of: value)]
                    // The rest is the edge's to give: who asked for another host is told where the tunnel is.
                    let host = Self.host(of: value)
                    if command == ["http"], host.contains(".") { understood += ["--asked-host", host] }
                }
            }
        }
        return understood
    }

    /// That a tunnel has two names, by `--name` and what stands for it elsewhere: the parser would take the last one.
    var secondName: String? {
        let words = self.understood.prefix { $0 != "--" }
        guard Self.naming.contains(where: { words.starts(with: $0) }) else { return nil }
        // One without a value is the parser's to refuse.
        let given = zip(words, words.dropFirst() + ["-"]).compactMap { word, next -> String? in
            if word == "--name" { return next.hasPrefix("-") ? nil : next }
            return word.hasPrefix("--name=") ? String(word.dropFirst("--name=".count)) : nil
        }
        guard let first = given.first, let second = given.first(where: { $0 != first }) else { return nil }
        return "The tunnel is named twice, “\(first)” and “\(second)”: leave one out."
    }

    /// Whether a failure to read the arguments is to be written for a program.
    var wantsJSON: Bool {
        let words = self.words.prefix { $0 != "--" }
        return words.contains("--log-format=json")
            || zip(words, words.dropFirst()).contains { $0 == "--log-format" && $1 == "json" }
    }

    /// What a wrong flag or command ought to have been; `nil` if nobody can tell.
    ///
    /// - Parameters:
    ///   - commands: The words of all commands that there are at the first place.
    ///   - flags: The flags of the command that was typed, with their hyphens.
    ///   - flagsOfHTTP: Those of `culvert http`, which has most.
    func correction(commands: [String], flags: [String], flagsOfHTTP: [String]) -> String? {
        if let first = self.words.first, !first.hasPrefix("-"), !commands.contains(first), !Self.isTarget(first) {
            let wrong = "There is no command “\(first)”."
            if let advice = FamiliarCommand.advice(for: self.words) { return "\(wrong) \(advice)" }
            if let near = NearestWord.to(first, among: commands) { return "\(wrong) Did you mean “culvert \(near)”?" }
            return "\(wrong) culvert --help lists those that there are."
        }
        guard let flag = self.unknownFlag(flags) else { return nil }
        let first = self.words.first
        let wrong = "There is no option \(flag) here."
        if let familiar = FamiliarFlag.named(flag) {
            switch familiar.meaning {
            case .advice(let advice):
                if let option = familiar.option, flags.contains(option) { return "\(wrong) It is called \(option)." }
                if let file = Self.secretFile(for: familiar, of: first, flags) { return "\(wrong) \(file)" }
                if let other = familiar.adviceForConnections, first == "tcp" || first == "tls" {
                    return "\(wrong) \(other)"
                }
                return "\(wrong) \(Self.suited(advice, to: first))"
            case .alias(let words):
                let option = words.joined(separator: " ")
                // Here it is known by the name alone, as it was not written: with one hyphen, or without a value.
                if words.first.map(flags.contains) ?? false { return "\(wrong) It is called \(option)." }
                return "\(wrong) \(option) is an option of culvert http."
            case .label where first.map { $0.hasPrefix("-") } ?? false:
                return "\(wrong) A local server is exposed by culvert http 3000."
            case .label where first == "access":
                return "\(wrong) The tunnel's name is an argument: culvert access NAME."
            case .label(let word), .toggle(let word):
                if flags.contains(word) { return "\(wrong) It is called \(word)." }
                return "\(wrong) \(word) is an option of culvert http."
            }
        }
        if flagsOfHTTP.contains(flag) { return "\(wrong) \(flag) is an option of culvert http." }
        if let near = NearestWord.toFlag(flag, among: flags) { return "\(wrong) Did you mean \(near)?" }
        let typed = self.words.prefix { !$0.hasPrefix("-") }.prefix(2).filter { $0.allSatisfy(\.isLetter) }
        return "\(wrong) \((["culvert"] + typed).joined(separator: " ")) --help lists those that there are."
    }

    /// The option of the command itself that names a file with the secret that was typed; `nil` if it has none.
    private static func secretFile(for flag: FamiliarFlag, of command: String?, _ flags: [String]) -> String? {
        guard flag.names.contains("api-key") else { return nil }
        if flags.contains("--secret-file") { return "--secret-file FILE names a file that holds it." }
        switch command {
        case "login": return "--api-key-file FILE names a file that holds the key, or type it when culvert login asks."
        case "service" where flags.contains("--api-key-file"): return "--api-key-file FILE names a file that holds it."
        default: return nil
        }
    }

    /// An advice with the examples of a command that was typed, where it has others than `culvert http`.
    private static func suited(_ advice: String, to command: String?) -> String {
        guard let command, ["tcp", "tls"].contains(command) else { return advice }
        let port = command == "tcp" ? "22" : "8443"
        return advice.replacing("culvert http 3000", with: "culvert \(command) \(port)")
            .replacing("culvert http 192.0.2.7:3000", with: "culvert \(command) 192.0.2.7:\(port)")
            .replacing("culvert http --help", with: "culvert \(command) --help")
    }

    /// The first flag that the command does not have.
    ///
    /// The parser may speak of a missing argument first.
    private func unknownFlag(_ flags: [String]) -> String? {
        let known = flags + ["-h", "--help", "--version"]
        for word in self.understood {
            guard word != "--" else { return nil }
            let flag = String(word.prefix { $0 != "=" })
            // A hyphen alone is standard input, and with a digit it is a number.
            guard flag.hasPrefix("-"), flag.count > 1, !flag.dropFirst().allSatisfy(\.isNumber) else { continue }
            if !known.contains(flag) { return flag }
        }
        return nil
    }

    /// Whether a first word is a target, and no command.
    private static func isTarget(_ word: String) -> Bool {
        let digits = word.hasPrefix(":") ? word.dropFirst() : word[...]
        if !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }) { return true }
        return ["http://", "https://", "unix:", "./", "../", "/", "localhost:", "127.0.0.1:", "[::1]:"].contains {
            word.hasPrefix($0)
        }
            || word == "." || word == ".."
    }

    private static func isLocal(_ value: String) -> Bool {
        let rest =
            value.hasPrefix("http://")
            ? value.dropFirst(7) : value.hasPrefix("https://") ? value.dropFirst(8) : value[...]
        let host = rest.hasPrefix("[") ? rest.prefix { $0 != "]" }.dropFirst() : rest.prefix { $0 != ":" && $0 != "/" }
        return host == "localhost" || host == "::1" || host.hasPrefix("127.") || value.allSatisfy(\.isNumber)
    }

    /// The first label of a host or of a URL's host.
    private static func label(of value: String) -> String {
        String(Self.host(of: value).prefix { $0 != "." })
    }

    /// The port of a URL of TCP, as ngrok names those of its edges.
    private static func port(of value: String) -> String? {
        guard value.hasPrefix("tcp://"), let colon = value.lastIndex(of: ":") else { return nil }
        let port = value[value.index(after: colon)...]
        return !port.isEmpty && port.allSatisfy(\.isNumber) ? String(port) : nil
    }

    /// A host, or that of a URL, without its port.
    private static func host(of value: String) -> String {
        String((value.components(separatedBy: "://").last ?? value).prefix { !"/:".contains($0) })
    }
}
