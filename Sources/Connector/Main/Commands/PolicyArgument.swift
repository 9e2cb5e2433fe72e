// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import ControlAPI
import Program

/// Reads what was given for a member of a policy on the command line.
struct PolicyArgument {
    let member: PolicyMember

    private var flag: String { "--\(self.member.flag)" }

    /// The value of a flag's arguments, at least one; of a flag that can't be repeated the last counts.
    ///
    /// - Throws: ``CommandFailure`` that names the flag, and quotes no secret.
    func value(of arguments: [String]) throws(CommandFailure) -> PolicyValue {
        let text = arguments.last ?? ""
        switch self.member.kind {
        case .choice, .text:
            return try self.checked(.text(text))
        case .number:
            guard let number = Int(text) else {
                throw self.failure(self.flag, "has to be \(self.member.kind.requirement)")
            }
            return try self.checked(.number(number))
        case .seconds(let range):
            guard let seconds = TypedDuration(text)?.wholeSeconds, range.contains(seconds) else {
                throw self.failure(self.flag, "has to be \(TypedDuration.requirement(of: .seconds, in: range))")
            }
            return .number(seconds)
        case .toggle:
            switch text {
            case "on", "true": return .toggle(true)
            case "off", "false": return .toggle(false)
            default: throw self.failure(self.flag, "has to be \(self.member.kind.requirement)")
            }
        case .texts(let syntax, _):
            if let wrong = arguments.first(where: { !syntax.isValid($0) }) {
                throw self.failure("“\(PeerText.printable(wrong))” of \(self.flag)", "has to be \(syntax.requirement)")
            }
            return try self.checked(.texts(arguments))
        case .credentials:
            var credentials: [BasicCredential] = []
            for argument in arguments { credentials.append(try self.credential(argument, in: self.flag)) }
            return try self.checked(.credentials(credentials))
        }
    }

    /// The user names and passwords in a file, one `user:password` a line.
    ///
    /// - Throws: ``CommandFailure`` that names the file and the line, and quotes neither.
    func credentials(inFile path: String) throws(CommandFailure) -> [BasicCredential] {
        var credentials: [BasicCredential] = []
        let text = try SecretFile.read(path, what: "user names and passwords")
        for (index, line) in TextLines.of(text).enumerated() {
            guard !line.isEmpty else { continue }
            do {
                credentials.append(try self.credential(String(line), in: "the file \(path), line \(index + 1),"))
            } catch {
                let comment = line.hasPrefix("#") ? " The file can't have comments." : ""
                throw CommandFailure(.configuration, error.message + comment)
            }
        }
        return credentials
    }

    private func credential(_ text: String, in place: String) throws(CommandFailure) -> BasicCredential {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw self.failure("The value of \(place)", "has to be USER:PASSWORD, and there is no colon")
        }
        let credential = BasicCredential(username: String(parts[0]), password: String(parts[1]))
        guard let fault = PolicyKind.credentials(atMost: 1).fault(in: .credentials([credential])) else {
            return credential
        }
        let part = fault.place.hasSuffix("username") ? "user name" : "password"
        throw self.failure("The \(part) of \(place)", fault.message)
    }

    private func checked(_ value: PolicyValue) throws(CommandFailure) -> PolicyValue {
        guard let fault = self.member.kind.fault(in: value) else { return value }
        throw self.failure(self.flag, fault.message)
    }

    private func failure(_ subject: String, _ message: String) -> CommandFailure {
        CommandFailure(.usage, "\(subject) \(message).")
    }
}
