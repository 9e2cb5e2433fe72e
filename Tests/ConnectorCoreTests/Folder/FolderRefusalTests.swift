// SPDX-License-Identifier: Apache-2.0

import Foundation
import Program
import Testing

@testable import ConnectorCore

@Suite("Folders that can't be shared")
struct FolderRefusalTests {
    @Test("What is not there, what is a file and what may not be read are told apart")
    func kinds() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: root) }
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try Data("x".utf8).write(to: URL(fileURLWithPath: "\(root)/page.html"))
        #expect(FolderServer.fault(of: root) == nil)
        #expect(FolderServer.fault(of: "\(root)/none") == "There is no folder \(root)/none.")
        #expect(
            FolderServer.fault(of: "\(root)/page.html")
                == "\(root)/page.html is a file, and a folder is what can be shared. The one that it is in: culvert http "
                + root
        )
        #expect(
            FolderRefusal.words(.folder, "./closed")
                == "The folder ./closed can't be shared: this user may not read it."
        )
        #expect(
            FolderRefusal.words(.hidden, "./a/b")
                == "The folder ./a/b can't be shared: this user may not look into the one that it is in."
        )
        #expect(
            FolderRefusal.words(nil, "page.html")
                == "page.html is a file, and a folder is what can be shared. The one that it is in: culvert http ./"
        )
        #expect(
            FolderRefusal.words(nil, "./page.html")
                == "./page.html is a file, and a folder is what can be shared. The one that it is in: culvert http ./"
        )
    }

    @Test(
        "A file of passwords that would be shared with the folder is known, by whatever path it is named",
        arguments: [
            ("/srv/site/visitors.txt", "/srv/site", true), ("/srv/site/../site/a/b.txt", "/srv/site/", true),
            ("/srv/site/.visitors", "/srv/site", false), ("/srv/visitors.txt", "/srv/site", false),
            ("/srv/sites/visitors.txt", "/srv/site", false), ("/srv/site", "/srv/site", false),
        ]
    )
    func secrets(file: String, folder: String, isShared: Bool) {
        #expect(FolderServer.shares(file, in: folder) == isShared)
    }
}
