// SPDX-License-Identifier: Apache-2.0

import ConnectorCore
import Testing

@testable import Connector

@Suite("The target of culvert diagnose")
struct DiagnosisTargetTests {
    @Test("A folder is no server that could be tried, however it is written")
    func folders() throws {
        let folder = try TemporaryFolder()
        for text in ["./folder", "/srv/site", "..", folder.path] {
            let error = #expect(throws: CommandFailure.self) { try DiagnoseCommand.server(text) }
            #expect(error?.status == .usage)
            #expect(
                error?.message
                    == "“\(text)” stands for a folder, and culvert diagnose tries servers: leave --to out, and "
                    + "all else is tried. A socket is written unix:/path."
            )
        }
    }

    @Test("A server is what it is to culvert http")
    func servers() throws {
        #expect(try DiagnoseCommand.server("3000").description == "http://localhost:3000")
        #expect(try DiagnoseCommand.server("unix:/run/app.sock").description == "unix:/run/app.sock")
        let error = #expect(throws: CommandFailure.self) { try DiagnoseCommand.server("no-such-place") }
        #expect(error?.message == "“no-such-place” is not a target: the port is missing, as in localhost:3000.")
    }
}
