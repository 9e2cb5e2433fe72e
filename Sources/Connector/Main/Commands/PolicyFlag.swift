// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import ControlAPI

/// A flag for a member of a policy, as the argument parser describes it in help, manual and completions.
struct PolicyFlag {
    /// The name, without the hyphens.
    let name: String
    /// Whether it may be given several times.
    let isRepeatable: Bool
    /// What help says of it.
    let help: ArgumentHelp
    private let completion: CompletionKind?

    /// The flags of a member: one, and for secrets a second one that names a file.
    static func all(of member: PolicyMember) -> [PolicyFlag] {
        guard member.isSecret else { return [PolicyFlag(member)] }
        let file = PolicyFlag(
            name: self.fileName(of: member),
            isRepeatable: false,
            help: ArgumentHelp(
                "A file with what --\(member.flag) takes, one USER:PASSWORD a line; - for standard input.",
                valueName: "file"
            ),
            completion: .file()
        )
        return [PolicyFlag(member), file]
    }

    /// The name of the flag that names a file with a member's secrets.
    static func fileName(of member: PolicyMember) -> String { "\(member.flag)-file" }

    /// What the argument parser knows as `@Option`.
    var option: Any {
        let name = NameSpecification.customLong(self.name)
        guard self.isRepeatable else {
            return Option<String?>(name: name, help: self.help, completion: self.completion)
        }
        return Option<[String]>(wrappedValue: [], name: name, help: self.help, completion: self.completion)
    }

    private init(name: String, isRepeatable: Bool, help: ArgumentHelp, completion: CompletionKind?) {
        self.name = name
        self.isRepeatable = isRepeatable
        self.help = help
        self.completion = completion
    }

    private init(_ member: PolicyMember) {
        var facts: [String] = []
        let valueName: String
        var completion: CompletionKind?
        var isRepeatable = false
        switch member.kind {
        case .choice(let words):
            valueName = words.joined(separator: "|")
            completion = .list(words)
        case .number(let range):
            valueName = "n"
            facts.append("\(range.lowerBound) to \(range.upperBound)")
        case .seconds(let range):
            valueName = "seconds"
            facts.append("\(range.lowerBound) to \(range.upperBound), also as 30s or 5m")
        case .toggle:
            valueName = "on|off"
            completion = .list(["on", "off"])
        case .text(let syntax):
            valueName = syntax.placeholder
        case .texts(let syntax, _):
            valueName = syntax.placeholder
            isRepeatable = true
        case .credentials:
            valueName = "user:password"
            isRepeatable = true
        }
        if isRepeatable { facts.append("may be repeated") }
        facts.append("default: \(member.fallback.plainText)")
        var abstract = member.documentation.replacing("`", with: "")
        if abstract.hasSuffix(".") { abstract.removeLast() }
        abstract += " (\(facts.joined(separator: "; ")))."
        if member.isSecret {
            abstract += " Prefer --\(Self.fileName(of: member)): arguments stay in the history of the shell."
        }
        self.init(
            name: member.flag,
            isRepeatable: isRepeatable,
            help: ArgumentHelp(abstract, valueName: valueName),
            completion: completion
        )
    }
}

extension PolicyMember.Default {
    /// The default for help: without Markdown.
    fileprivate var plainText: String {
        switch self {
        case .value(.text(let text)): text
        case .value(.number(let number)): String(number)
        case .value(.toggle(let isOn)): isOn ? "on" : "off"
        case .value(.texts(let texts)): texts.joined(separator: ", ")
        case .value(.credentials): "set"
        case .described(let words): words.replacing("`", with: "")
        }
    }
}
