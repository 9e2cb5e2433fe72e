// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import Testing

@Suite("The tables of a policy in the documentation")
struct PolicyTablesTests {
    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("The tables are what the schema says; CULVERT_UPDATE_DOCS=1 writes them")
    func upToDate() throws {
        let tables = PolicyTables(schema: .tunnel)
        for table in [tables.members, tables.settings] {
            let file = Self.repository.appendingPathComponent(table.page)
            let page = try String(contentsOf: file, encoding: .utf8)
            let wanted = try #require(table.inserted(into: page), "\(table.page) has no place for \(table.name)")
            if ProcessInfo.processInfo.environment["CULVERT_UPDATE_DOCS"] == "1" {
                try Data(wanted.utf8).write(to: file)
            } else {
                #expect(page == wanted, "write \(table.page) again with CULVERT_UPDATE_DOCS=1")
            }
        }
    }
}
