// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Synchronization
import Testing

@testable import Program

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

@Suite("The writer of log lines")
struct LineWriterTests {
    /// A reader that takes nothing until it is told to, and remembers what it took.
    private final class Reader: Sendable {
        let gate = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        private let state = Mutex<(lines: [String], isOpen: Bool)>(([], false))

        var lines: [String] { self.state.withLock { $0.lines } }

        func take(_ line: String) -> Bool {
            self.arrived.signal()
            if !self.state.withLock({ $0.isOpen }) { self.gate.wait() }
            self.state.withLock { $0.lines.append(line) }
            return true
        }

        func open() {
            self.state.withLock { $0.isOpen = true }
            self.gate.signal()
        }
    }

    @Test(
        "Nobody who logs waits for a reader that takes nothing; what was dropped is counted, and told when it takes again"
    )
    func blocked() {
        let reader = Reader()
        let writer = LineWriter(maximumBytes: 100) { reader.take($0) }
        let notice: LineWriter.Notice = { "\($0) dropped\n" }
        writer.write("first....\n", notice: notice)
        reader.arrived.wait()
        for number in 10..<60 { writer.write("line \(number)..\n", notice: notice) }
        #expect(writer.droppedLines == 41)
        reader.open()
        writer.flush(atMost: 60)
        writer.write("after....\n", notice: notice)
        writer.flush(atMost: 60)
        #expect(
            reader.lines == ["first....\n"] + (10..<19).map { "line \($0)..\n" } + ["41 dropped\n", "after....\n"]
        )
    }

    @Test("A line that can't be written counts as dropped, and is told of once lines can be written again")
    func failing() {
        let state = Mutex<(works: Bool, lines: [String])>((false, []))
        let writer = LineWriter { line in
            state.withLock { state in
                if state.works { state.lines.append(line) }
                return state.works
            }
        }
        for number in 1...3 { writer.write("lost \(number)\n") { "\($0) dropped\n" } }
        writer.flush(atMost: 60)
        #expect(writer.droppedLines == 3)
        state.withLock { $0.works = true }
        writer.write("seen\n") { "\($0) dropped\n" }
        writer.flush(atMost: 60)
        #expect(state.withLock { $0.lines } == ["seen\n", "3 dropped\n"])
        #expect(writer.droppedLines == 3)
    }

    @Test("Lines of many threads arrive whole in a pipe that does not block and is read slowly")
    func whole() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let (source, sink) = (ends[0], ends[1])
        defer { close(source) }
        _ = fcntl(sink, F_SETFL, fcntl(sink, F_GETFL) | O_NONBLOCK)
        let writer = LineWriter(descriptor: sink, maximumBytes: 64 << 20)
        let text = Mutex<[UInt8]>([])
        let isRead = DispatchSemaphore(value: 0)
        DispatchQueue.global().async {
            var buffer = [UInt8](repeating: 0, count: 1_000)
            while case let count = read(source, &buffer, buffer.count), count > 0 {
                text.withLock { $0 += buffer[..<count] }
            }
            isRead.signal()
        }
        DispatchQueue.concurrentPerform(iterations: 8) { number in
            for _ in 0..<20 { writer.write(String(repeating: "\(number)", count: 9_999) + "\n") { _ in "" } }
        }
        writer.flush(atMost: 60)
        close(sink)
        isRead.wait()
        let lines = text.withLock { $0 }.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 160)
        #expect(lines.allSatisfy { $0.count == 9_999 && Set($0).count == 1 })
    }

    @Test("The soft limit of open files becomes the hard one")
    func limit() {
        let limit = OpenFiles.raiseLimit()
        #expect(limit >= 256)
        #expect(OpenFiles.raiseLimit() == limit)
    }
}

@Suite("What others sent, in logs and on terminals")
struct ShownTextTests {
    @Test(
        "What steers a terminal is an escape, and what looks like a pair is none",
        arguments: [
            ("plain", "plain"), ("/a?b=c", "/a?b=c"), ("", "\"\""), ("a b", "\"a b\""),
            ("x status=200", #""x status\u003d200""#), (#"a"b\"#, #""a\"b\\""#), ("\u{9b}31m", #"\u009b31m"#),
            ("a\u{202e}b", #"a\u202eb"#), ("a\u{2028}b", #"a\u2028b"#), ("\u{feff}", #"\ufeff"#),
            ("\u{e0041}", #"\udb40\udc41"#), ("a\u{a0}status=200", #"a\u00a0status=200"#), ("\u{7f}", #"\u007f"#),
            ("Grüße", "Grüße"),
        ]
    )
    func pair(value: String, text: String) {
        #expect(ShownText.pairValue(value) == text)
    }

    @Test("A sentence keeps its spaces and loses what steers")
    func sentence() {
        #expect(ShownText.escaped("a b=c\u{1b}[2J") == #"a b=c\u001b[2J"#)
        #expect(ShownText.stripped("http://x/\u{1b}]0;p\u{7}\u{9b}2J\u{202e}") == "http://x/]0;p2J")
    }
}

@Suite("The variables of a program")
struct ProgramEnvironmentTests {
    @Test("An empty variable is none")
    func empty() {
        #expect(ProgramEnvironment.withoutEmpty(["A": "", "B": "b", "C": " "]) == ["B": "b", "C": " "])
        #expect(!ProgramEnvironment.variables.values.contains(""))
    }
}
