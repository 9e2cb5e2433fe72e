// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Edge

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
}
