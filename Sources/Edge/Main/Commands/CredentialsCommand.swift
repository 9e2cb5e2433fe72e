// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EdgeControl
import EdgeTunnels
import Program

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `culvert-edge credentials`: the API keys of an edge, and its first signing key.
struct CredentialsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "credentials",
        abstract: "Make, list, rotate and revoke API keys.",
        discussion: """
            A running edge takes up a change when it gets SIGHUP. The file of API keys holds hashes only: a key is shown \
            once, when it is made.
            """,
        subcommands: [New.self, List.self, Rotate.self, Revoke.self]
    )

    /// The files that the commands work on.
    struct Files: ParsableArguments {
        @Option(help: "A YAML file with the edge's settings, which name the files of keys.")
        var config: String?

        @Option(help: "The file of API keys (auth.api-keys-file), or else api-keys.json.")
        var apiKeysFile: String?

        @Option(
            help: "The file of signing keys (auth.signing-keys-file), or else signing-keys.json beside the API keys."
        )
        var signingKeysFile: String?

        /// As a running edge spells it.
        @Option(name: .customLong("auth-api-keys-file"), help: .hidden)
        var apiKeysSetting: String?

        /// As a running edge spells it.
        @Option(name: .customLong("auth-signing-keys-file"), help: .hidden)
        var signingKeysSetting: String?

        /// Where the keys are: as the flags say, else as the edge's settings do, else in the folder of the caller.
        ///
        /// Signing keys of which nobody says where they are lie beside the API keys; there are none in a file where the
        /// settings have one themselves.
        ///
        /// - Parameter refusesFaults: Whether faults of the settings end the program. A key can be revoked in spite of
        ///   them; but one that was made would lie where the mended settings may look for none.
        func paths(refusesFaults: Bool = false) throws -> (apiKeys: String, signingKeys: String?) {
            let named = try ConfigurationLoading.credentialPlaces(config: self.config)
            if let config = named.config, let faults = named.faults {
                let text = "\(config) has faults, with which no edge starts:\(faults)"
                if refusesFaults {
                    throw CommandFailure.exit(.configuration, "\(text)\nNo key was made: mend the file first.")
                }
                LogSink.standardError.write("culvert-edge: \(text)\n")
            }
            let givenKeys = self.apiKeysFile ?? self.apiKeysSetting ?? named.apiKeys
            guard let apiKeys = givenKeys ?? (named.config == nil ? "api-keys.json" : nil) else {
                throw CommandFailure.exit(
                    .configuration,
                    "\(named.config ?? "") does not say where the API keys are: add auth.api-keys-file to it, or give "
                        + "--api-keys-file FILE"
                )
            }
            let beside = URL(fileURLWithPath: apiKeys).deletingLastPathComponent()
                .appendingPathComponent("signing-keys.json").path
            let signingKeys = self.signingKeysFile ?? self.signingKeysSetting ?? named.signingKeys
            return (apiKeys: apiKeys, signingKeys: signingKeys ?? (named.hasSigningKey ? nil : beside))
        }
    }

    /// `culvert-edge credentials new`.
    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new",
            abstract: "Make an API key; make the signing key, too, if there is none.",
            usage: "culvert-edge credentials new --name <name> [<options>]",
            discussion: """
                By default the key has a second factor: whoever makes or deletes a tunnel with it also gives six digits \
                that an authenticator app shows, and that change every half minute. Programs can't do that: their keys \
                are made with --no-otp.

                Examples:
                  culvert-edge credentials new --name alice
                  culvert-edge credentials new --name ci --no-otp
                  culvert-edge credentials new --name ci --config /etc/culvert/edge.yaml
                """
        )

        @OptionGroup var files: Files

        @Option(help: "The name of the key: who or what it is for.")
        var name: String

        @Option(help: "Who owns the tunnels made with the key, by default its name; several keys may have one owner.")
        var owner: String?

        @Option(help: "user: manages the tunnels made with the key. admin: manages all.")
        var role: Role = .user

        @Flag(inversion: .prefixedNo, help: "Ask for a one-time code on every call that changes something.")
        var otp = true

        func run() throws {
            guard APIKeyRecord.isName(self.name), self.owner.map(APIKeyRecord.isName) ?? true else {
                throw CommandFailure.exit(.usage, "a name is one word of ASCII without a colon, of 64 letters at most")
            }
            try CredentialFailures.report {
                let files = try self.files.paths(refusesFaults: true)
                let made = NewCredentials.make(
                    name: self.name,
                    owner: self.owner,
                    role: self.role,
                    withSecondFactor: self.otp
                )
                var isFirst = false
                try CredentialFiles.update(at: files.apiKeys) { (file: APIKeyFile?) in
                    var ring = file ?? APIKeyFile(keys: [])
                    isFirst = ring.keys.isEmpty
                    guard !ring.keys.contains(where: { $0.name == self.name }) else {
                        throw CredentialFiles.Failure(
                            path: files.apiKeys,
                            message:
                                "there is an API key named \(self.name) already: choose another name, or replace the "
                                + "key with culvert-edge credentials rotate \(self.name)"
                        )
                    }
                    guard self.owner != nil || !ring.keys.contains(where: { $0.owner == self.name }) else {
                        throw CredentialFiles.Failure(
                            path: files.apiKeys,
                            message: "\(self.name) owns the tunnels of another API key: choose another name, or say "
                                + "--owner \(self.name)"
                        )
                    }
                    ring.keys.append(made.record)
                    return ring
                }
                // No edge starts without a key: where this is the first, none runs.
                LogSink.standardOutput.write(
                    made.text + (isFirst ? "" : "Send the edge SIGHUP, if it runs, to have it take this key.\n")
                )
                Self.tell("the key's hash is in", files.apiKeys)
                guard let signingKeys = files.signingKeys else { return }
                var isNew = false
                try CredentialFiles.update(at: signingKeys) { (file: SigningKeyFile?) in
                    isNew = file == nil
                    return isNew ? SigningKeyFile(keys: [SigningKey.generate(kid: "k1")]) : nil
                }
                if isNew { Self.tell("a signing key was made, in", signingKeys) }
            }
        }

        /// Says where something was written, beside what is printed for keeping.
        private static func tell(_ what: String, _ path: String) {
            LogSink.standardError.write("culvert-edge: \(what) \(URL(fileURLWithPath: path).path)\n")
        }
    }

    /// `culvert-edge credentials rotate`.
    struct Rotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate",
            abstract: "Replace an API key, also a revoked one, by another one of the same name.",
            usage: "culvert-edge credentials rotate <name> [<options>]",
            discussion: """
                The name, the role and the tunnels stay; the old key ends when the edge gets SIGHUP. The tokens of the \
                tunnels stay valid, too: POST /api/tunnels/{id}/token replaces those that the old key may have given away.

                For two keys that are valid side by side: credentials new --name NEW --owner OWNER.
                """
        )

        @OptionGroup var files: Files

        @Argument(help: "The name of the key.")
        var name: String

        /// As `credentials new` spells it.
        @Flag(name: .customLong("name"), help: .hidden)
        var isNamed = false

        @Flag(inversion: .prefixedNo, help: "Ask for a one-time code; by default if the old key does.")
        var otp: Bool?

        func run() throws {
            try CredentialFailures.report {
                let files = try self.files.paths()
                var text = ""
                try CredentialFiles.update(at: files.apiKeys) { (file: APIKeyFile?) in
                    guard var ring = file, let index = ring.keys.firstIndex(where: { $0.name == self.name }) else {
                        throw CredentialFiles.Failure(
                            path: files.apiKeys,
                            message: "no API key is named \(self.name)"
                        )
                    }
                    let old = ring.keys[index]
                    let made = NewCredentials.make(
                        name: old.name,
                        owner: old.owner,
                        role: old.role,
                        withSecondFactor: self.otp ?? (old.totpSecret != nil)
                    )
                    ring.keys[index] = made.record
                    text = made.text
                    return ring
                }
                LogSink.standardOutput.write(text + "Send the edge SIGHUP to end the old key.\n")
            }
        }
    }

    /// `culvert-edge credentials list`.
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List the API keys.",
            usage: "culvert-edge credentials list [<options>]"
        )

        @OptionGroup var files: Files

        @Flag(help: "Print the keys as JSON, without what is secret of them.")
        var json = false

        /// A key as programs read it.
        private struct Row: Encodable {
            var name: String
            var owner: String
            var role: String
            var otp: Bool
            var revoked: Bool
        }

        func run() throws {
            try CredentialFailures.report {
                let files = try self.files.paths()
                if self.json {
                    let rows = try CredentialFiles.read(APIKeyFile.self, at: files.apiKeys).keys.map { key in
                        Row(
                            name: key.name,
                            owner: key.owner ?? key.name,
                            role: key.role.rawValue,
                            otp: key.totpSecret != nil,
                            revoked: key.revoked == true
                        )
                    }
                    let encoder = JSONEncoder()
                    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
                    let text = try encoder.encode(["keys": rows])
                    return LogSink.standardOutput.write(String(decoding: text, as: UTF8.self) + "\n")
                }
                for key in try CredentialFiles.read(APIKeyFile.self, at: files.apiKeys).keys {
                    let state = key.revoked == true ? "revoked" : "valid"
                    let factor = key.totpSecret == nil ? "key" : "key+otp"
                    let owner = key.owner.map { "\towner=\($0)" } ?? ""
                    LogSink.standardOutput.write("\(key.name)\t\(key.role.rawValue)\t\(factor)\t\(state)\(owner)\n")
                }
            }
        }
    }

    /// `culvert-edge credentials revoke`.
    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Revoke an API key.",
            usage: "culvert-edge credentials revoke <name> [<options>]"
        )

        @OptionGroup var files: Files

        @Argument(help: "The name of the key.")
        var name: String

        func run() throws {
            try CredentialFailures.report {
                let files = try self.files.paths()
                var text = ""
                try CredentialFiles.update(at: files.apiKeys) { (file: APIKeyFile?) in
                    guard var ring = file, let index = ring.keys.firstIndex(where: { $0.name == self.name }) else {
                        throw CredentialFiles.Failure(
                            path: files.apiKeys,
                            message: "no API key is named \(self.name)"
                        )
                    }
                    ring.keys[index].revoked = true
                    text = Self.consequences(of: ring.keys[index], in: ring)
                    return ring
                }
                LogSink.standardOutput.write(text)
            }
        }

        /// What follows from a key that has just been revoked: what its owner has online does not end with it.
        static func consequences(of key: APIKeyRecord, in ring: APIKeyFile) -> String {
            func owner(_ key: APIKeyRecord) -> String { key.owner ?? key.name }
            let valid = ring.keys.filter { $0.revoked != true }
            var lines = ["revoked \(key.name): send the edge SIGHUP to make it take effect"]
            if !valid.contains(where: { owner($0) == owner(key) }) {
                lines.append(
                    """
                    The tunnels of \(owner(key)) go on until their tokens end, which get no successors. To end one now, delete \
                    it with the key of an admin: culvert tunnels delete NAME.
                    """
                )
            }
            if valid.isEmpty {
                lines.append(
                    "No valid key is left, without which an edge does not start: culvert-edge credentials new --name NAME."
                )
            }
            return lines.map { $0 + "\n" }.joined()
        }
    }
}

extension Role: ExpressibleByArgument {}

/// Turns what can be wrong with credential files into an exit.
private enum CredentialFailures {
    static func report(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as CredentialFiles.Failure {
            throw CommandFailure.exit(.configuration, "\(failure)")
        } catch let error as CredentialError {
            throw CommandFailure.exit(.configuration, "\(error)")
        }
    }
}

/// An API key that has just been made, with what is shown of it once.
struct NewCredentials {
    /// What is kept.
    var record: APIKeyRecord
    /// What is shown.
    var text: String

    /// Makes a key.
    ///
    /// - Parameters:
    ///   - name: The name of the key.
    ///   - owner: Who owns the tunnels made with it, if not that name.
    ///   - role: What it may do.
    ///   - withSecondFactor: Whether it asks for one-time codes.
    static func make(name: String, owner: String? = nil, role: Role, withSecondFactor: Bool) -> NewCredentials {
        let key = APIKey.generate()
        var record = APIKeyRecord(name: name, owner: owner, role: role, sha256: Hexadecimal.encode(APIKey.hash(key)))
        var text = ""
        if withSecondFactor {
            text += """
                This key has a second factor: put the OTP secret into an authenticator app, which shows the six
                digits that culvert asks for. Programs need a key without: --no-otp.


                """
        }
        text += "API key      \(key)\n"
        if withSecondFactor {
            var generator = SystemRandomNumberGenerator()
            let password = OneTimePassword(secret: (0..<20).map { _ in generator.next() as UInt8 })
            let uri = password.uri(name: name)
            record.totpSecret = Base32.encode(password.secret)
            text += "OTP secret   \(Base32.encode(password.secret))\nOTP URI      \(uri)\n"
            if LogSink.standardOutput.isTerminal, let code = QRCode(uri) { text += "\n\(code.terminalText)\n" }
        }
        return NewCredentials(record: record, text: text + "These are shown this once: keep them now.\n")
    }
}

extension SigningKey {
    /// Draws a key of 256 bits.
    static func generate(kid: String) -> SigningKey {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in generator.next() as UInt8 }
        return SigningKey(kid: kid, secret: Data(bytes).base64EncodedString())
    }
}

extension NewCredentials: Concealed {}
