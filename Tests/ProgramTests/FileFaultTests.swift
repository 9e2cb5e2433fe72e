// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program
import Testing

@Suite("Files that can't be read")
struct FileFaultTests {
    @Test("What is missing, a folder, or a file that can be read is told apart")
    func kinds() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = "\(folder)/file"
        try Data("x".utf8).write(to: URL(fileURLWithPath: file))
        #expect(FileFault.of(file) == nil)
        #expect(FileFault.of(folder) == .folder)
        #expect(FileFault.of("\(folder)/none") == .missing)
        #expect(FileFault.of("\(file)/below") == .missing)
        #expect(FileFault.words("\(folder)/none") == "there is no such file")
        // root may read everything.
        guard getuid() != 0 else { return }
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: file)
        #expect(FileFault.of(file) == .forbidden)
    }
}
