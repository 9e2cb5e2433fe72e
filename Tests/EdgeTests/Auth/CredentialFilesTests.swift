// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Testing

@testable import Edge
@testable import EdgeControl

@Suite("Credential files")
struct CredentialFilesTests {
    @Test(
        "A file is read through a link, as Kubernetes mounts it, if the file behind it is private",
        arguments: [(0o440, true), (0o600, true), (0o444, false)]
    )
    func links(permissions: Int, isTaken: Bool) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-keys-\(UUID().uuidString)")
        let data = folder.appendingPathComponent("..data")
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = data.appendingPathComponent("signing-keys.json")
        let link = folder.appendingPathComponent("signing-keys.json")
        try Data(#"{"keys":[]}"#.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: file.path)
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "..data/signing-keys.json")
        let read = { try CredentialFiles.read(SigningKeyFile.self, at: link.path) }
        if isTaken {
            #expect(try read().keys.isEmpty)
        } else {
            #expect(throws: CredentialFiles.Failure.self) { try read() }
        }
    }

    @Test(
        "Who revokes a key hears what goes on without it, and when an edge can't do without",
        arguments: [
            (valid: ["carol"], endsAnOwner: true, isLast: false), (valid: [], endsAnOwner: true, isLast: true),
            (valid: ["laptop of alice"], endsAnOwner: false, isLast: false),
        ]
    )
    func revocation(valid: [String], endsAnOwner: Bool, isLast: Bool) {
        func record(_ name: String, owner: String? = nil, revoked: Bool? = nil) -> APIKeyRecord {
            let hash = String(repeating: "0", count: 64)
            return APIKeyRecord(name: name, owner: owner, role: .user, sha256: hash, revoked: revoked)
        }
        let revoked = record("alice", revoked: true)
        let others = valid.map { $0 == "laptop of alice" ? record("laptop", owner: "alice") : record($0) }
        let ring = APIKeyFile(keys: [revoked, record("bob", revoked: true)] + others)
        let text = CredentialsCommand.Revoke.consequences(of: revoked, in: ring)
        #expect(text.hasPrefix("revoked alice: send the edge SIGHUP to make it take effect\n"))
        #expect(text.contains("The tunnels of alice go on until their tokens end") == endsAnOwner)
        #expect(text.contains("No valid key is left") == isLast)
    }

    /// Runs a test in a folder of its own.
    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    private func record(_ name: String) -> APIKeyRecord {
        APIKeyRecord(name: name, role: .user, sha256: String(repeating: "0", count: 64))
    }

    @Test(
        "A file that is not as it has to be is refused with the place; a misspelt second factor is not left out",
        arguments: [
            ("", "the file is not JSON: line 1, column 1: it ends too early"),
            ("{\"keys\":[\n}", "the file is not JSON: line 2, column 1: a value is expected"),
            ("[]", "the file has to be an object"), ("{}", "keys is missing"),
            (
                #"{"keys":[{"name":"a","role":"user","sha256":"","otp_secret":"x"}]}"#,
                "keys[0].otp_secret is not known here"
            ),
            (#"{"keys":[{"name":"a","role":"owner","sha256":""}]}"#, "keys[0].role has to be user or admin"),
            (#"{"keys":[{"name":"a","name":"b"}]}"#, "keys[0].name is there twice"),
        ]
    )
    func malformed(text: String, message: String) throws {
        try self.inFolder { folder in
            let file = folder.appendingPathComponent("api-keys.json")
            try Data(text.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
            #expect(throws: CredentialFiles.Failure(path: file.path, message: message)) {
                try CredentialFiles.read(APIKeyFile.self, at: file.path)
            }
        }
    }

    @Test("Fifty changes at once are all kept, nothing else is left in the folder, and the file is private")
    func concurrentChanges() throws {
        try self.inFolder { folder in
            let path = folder.appendingPathComponent("api-keys.json").path
            DispatchQueue.concurrentPerform(iterations: 50) { number in
                try? CredentialFiles.update(at: path) { (file: APIKeyFile?) in
                    APIKeyFile(keys: (file?.keys ?? []) + [self.record("key-\(number)")])
                }
            }
            let keys = try CredentialFiles.read(APIKeyFile.self, at: path).keys
            #expect(Set(keys.map(\.name)).count == 50)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["api-keys.json"])
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test("A change keeps a link a link, and lets the group read what it could read")
    func changeThroughLink() throws {
        try self.inFolder { folder in
            let (file, link) = (folder.appendingPathComponent("kept.json"), folder.appendingPathComponent("link.json"))
            try Data(#"{"keys":[]}"#.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file.path)
            try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "kept.json")
            try CredentialFiles.update(at: link.path) { (_: APIKeyFile?) in APIKeyFile(keys: [self.record("a")]) }
            #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == "kept.json")
            #expect(try CredentialFiles.read(APIKeyFile.self, at: file.path).keys.map(\.name) == ["a"])
            #expect(try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int == 0o640)
        }
    }

    @Test("A new file that root makes in a folder of another user is that user's, as the edge is that reads it")
    func newFileInForeignFolder() throws {
        guard geteuid() == 0 else { return print("Skipped: only root can give files away.") }
        try self.inFolder { folder in
            let owner: [FileAttributeKey: Any] = [.ownerAccountID: 12_345, .groupOwnerAccountID: 12_346]
            try FileManager.default.setAttributes(owner, ofItemAtPath: folder.path)
            let path = folder.appendingPathComponent("api-keys.json").path
            for name in ["a", "b"] {
                try CredentialFiles.update(at: path) { (_: APIKeyFile?) in APIKeyFile(keys: [self.record(name)]) }
                let attributes = try FileManager.default.attributesOfItem(atPath: path)
                #expect(attributes[.ownerAccountID] as? Int == 12_345)
                #expect(attributes[.groupOwnerAccountID] as? Int == 12_346)
                #expect(attributes[.posixPermissions] as? Int == 0o600)
            }
        }
    }

    @Test("A file that another user may not read is told with its owner, and who has to have it")
    func foreignOwner() {
        #expect(UserName.of(0) == "root" && UserName.of(12_345) == "12345")
        #expect(
            CredentialFiles.foreign(0, for: 12_345)
                == "it belongs to root, and culvert-edge runs as 12345 here: chown 12345 it, if that is the edge's user"
        )
        #expect(CredentialFiles.foreign(12_345, for: 12_345) == "chmod 600 it")
    }

    @Test("The file with the key of inboxes is read before the edge starts, and told by its setting")
    func inboxKey() throws {
        try self.inFolder { folder in
            let path = folder.appendingPathComponent("inbox.key").path
            func problems(_ text: String?, _ permissions: Int = 0o600) throws -> [String] {
                if let text {
                    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
                    try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: path)
                }
                var reader = SettingsReader(
                    arguments: ["--dev", "--inbox-directory", folder.path, "--inbox-key-file", path],
                    environment: [:],
                    file: nil
                )
                let configuration = EdgeConfiguration(from: &reader)
                _ = CredentialFiles.check(configuration, isReload: false, &reader)
                return reader.problems.map(\.description)
            }
            let beginning = "inbox.key-file (flag): \(path): "
            let key = Data(repeating: 1, count: 32).base64EncodedString()
            let missing = try problems(nil)
            #expect(missing == [beginning + "there is no such file"])
            let garbage = try problems("garbage\n")
            #expect(garbage == [beginning + "each line has to be a key of 32 bytes in base 64"])
            let open = try problems(key, 0o644)
            #expect(open == [beginning + "other users can read the file: chmod 600 it"])
            let right = try problems(key)
            #expect(right == [])
        }
    }

    @Test("The commands for keys take the files by the names that a running edge has for them, too")
    func namesOfSettings() throws {
        let words = ["--auth-api-keys-file", "a.json", "--auth-signing-keys-file", "s.json"]
        let paths = try CredentialsCommand.Files.parse(words).paths()
        #expect(paths.apiKeys == "a.json" && paths.signingKeys == "s.json")
    }

    @Test("A name is one word", arguments: [("a", true), ("a b", false), ("", false), ("a:b", false), ("é", false)])
    func names(name: String, isName: Bool) {
        #expect(APIKeyStore.errors(in: [self.record(name)]).isEmpty == isName)
        #expect(!APIKeyRecord.isName(String(repeating: "a", count: 65)))
    }

    @Test("Everything that is wrong with the files is told at once, with the setting and the file")
    func everyProblem() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ text: String, _ permissions: Int = 0o600) throws -> String {
            let path = folder.appendingPathComponent(name).path
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: permissions], ofItemAtPath: path)
            return path
        }
        let short = Data(repeating: 1, count: 31).base64EncodedString()
        let hash = String(repeating: "0", count: 64)
        let apiKeys = try file(
            "api.json",
            """
            {"keys":[{"name":"a","role":"user","sha256":"x","revoked":true},
            {"name":"a","role":"user","sha256":"\(hash)","totp_secret":"!","revoked":true}]}
            """
        )
        let signingKeys = try file("signing.json", #"{"keys":[{"kid":"k","secret":"\#(short)"}]}"#)
        let (certificate, key) = (try file("tls.pem", "none"), try file("tls.key", "none", 0o644))
        func problems(isReload: Bool = false) -> [String] {
            var reader = SettingsReader(
                arguments: [
                    "--auth-api-keys-file", apiKeys, "--tls-certificate", certificate, "--tls-key", key,
                    "--tunnel-max-connections", "none",
                ],
                environment: ["CULVERT_AUTH_SIGNING_KEYS_FILE": signingKeys],
                file: nil
            )
            let configuration = EdgeConfiguration(from: &reader)
            _ = CredentialFiles.check(configuration, isReload: isReload, &reader)
            return reader.problems.map(\.description)
        }
        let expected = [
            "--tunnel-max-connections (flag): \"none\" is not a number of 1 or more",
            "auth.api-keys-file (flag): \(apiKeys): the sha256 of API key a is not 64 hexadecimal digits",
            "auth.api-keys-file (flag): \(apiKeys): two API keys are named a",
            "auth.api-keys-file (flag): \(apiKeys): the totp_secret of API key a is not base 32 of at least 10 bytes",
            "auth.api-keys-file (flag): \(apiKeys): no API key is valid: culvert-edge credentials new makes one",
            "auth.signing-keys-file (environment): \(signingKeys): signing key k has fewer than 32 bytes",
            "tls.key (flag): \(key): other users can read the file: chmod 600 it",
            "tls.certificate (flag): \(certificate): the file holds no PEM certificate",
        ]
        #expect(problems() == expected)
        // Whoever revokes the last key of a running edge means it.
        #expect(problems(isReload: true) == expected.filter { !$0.contains("no API key is valid") })
    }

    @Test("Files of TLS that are missing, folders or not PEM are told apart, each by the setting that names it")
    func certificates() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (empty, none) = ("\(folder)/empty.pem", "\(folder)/none.pem")
        let key = "\(folder)/empty.key"
        for path in [empty, key] {
            try Data().write(to: URL(fileURLWithPath: path))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
        func problems(_ certificate: String, _ key: String) -> [String] {
            var reader = SettingsReader(
                arguments: ["--dev", "--tls-certificate", certificate, "--tls-key", key],
                environment: [:],
                file: nil
            )
            let configuration = EdgeConfiguration(from: &reader)
            _ = CredentialFiles.check(configuration, isReload: false, &reader)
            return reader.problems.map(\.description)
        }
        let missing = "there is no such file"
        #expect(
            problems(none, none) == [
                "tls.certificate (flag): \(none): \(missing)", "tls.key (flag): \(none): \(missing)",
            ]
        )
        #expect(
            problems(folder, key) == ["tls.certificate (flag): \(folder): this is a folder, and not a file"]
        )
        #expect(problems(empty, key) == ["tls.certificate (flag): \(empty): the file holds no PEM certificate"])
    }
}
