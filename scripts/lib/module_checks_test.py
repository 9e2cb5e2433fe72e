# SPDX-License-Identifier: Apache-2.0
"""Shows on made-up packages that each check of module_checks.py finds what it looks for, and nothing else."""
import pathlib
import tempfile
import unittest

import module_checks as checks


class ModuleChecksTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)

    def target(self, name, files, **details):
        for path, source in files.items():
            file = self.root / "Sources" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return checks.Target(self.root, name, f"Sources/{name}", **details)

    def pairs(self, files):
        return list(checks.mutual_pairs(self.target("Made", files)))

    def test_a_cycle_of_two_folders_is_found(self):
        files = {"A/One.swift": "struct One { var two: Two }", "B/Two.swift": "struct Two { func one() -> One? { nil } }"}
        self.assertEqual(self.pairs(files), [("A", "B")])
        faults = checks.check_folders([self.target("Made", files)], allowed={})
        self.assertIn("1 pairs of folders", faults[0])
        self.assertEqual(checks.check_folders([self.target("Made", files)], allowed={"Made": 1}), [])

    def test_an_arrow_in_one_direction_is_no_cycle(self):
        self.assertEqual(self.pairs({"A/One.swift": "struct One { var two: Two }", "B/Two.swift": "struct Two {}"}), [])

    def test_files_beside_the_folders_are_a_folder_of_their_own(self):
        files = {"One.swift": "struct One { var two: Two }", "B/Two.swift": "extension One { struct Inner {} }\nenum Two {}"}
        self.assertEqual(self.pairs(files), [(".", "B")])

    def test_variables_that_other_files_can_write_are_found(self):
        source = """
            package struct One: Two {
                var open = 1, x: Int
                package var watched: Int { didSet { print(open) } }
                var made: [Int] = { [] }()
                private var own = 1
                package private(set) var seen = 2
                fileprivate(set) var near: Int
                let constant = 1
                var computed: Int { self.own }
                package var other: Int {
                    get { 1 }
                }
                func act() { var local = 1; local += 1 }
                init() {
                    var local = 1
                }
                struct Inner { var deep: Int }
                private struct Hidden { var mine: Int }
            }
            protocol Three { var required: Int { get } }
            private final class Four { var mine = 1 }
            extension One { static var shared: Int { 1 } }
            var global = 1
        """
        self.assertEqual(checks.open_variables(source), ["open", "watched", "made", "deep", "global"])
        target = self.target("EdgeProxy", {"One.swift": "struct One { var open = 1 }"})
        self.assertEqual(
            checks.check_variables([target]), ["EdgeProxy: One.swift stores open, which other files can write"]
        )
        self.assertEqual(checks.check_variables([self.target("Made", {"One.swift": "struct One { var open = 1 }"})]), [])

    def test_comments_and_strings_mention_nothing(self):
        files = {
            "A/One.swift": "struct One { var two: Two }",
            "B/Two.swift": '// One\n/* One */\nstruct Two { let text = "One"; let long = """\n  One\n  """ }',
        }
        self.assertEqual(self.pairs(files), [])

    def test_what_is_interpolated_into_a_string_is_a_mention(self):
        files = {
            "A/One.swift": "struct One { var two: Two }",
            "B/Two.swift": 'struct Two { let text = "a \\(One.self) b" }',
        }
        self.assertEqual(self.pairs(files), [("A", "B")])

    def test_homonyms_and_members_are_no_mentions(self):
        files = {
            # Two nested State, one private Kind, and a member behind a dot.
            "A/One.swift": "struct One { enum State { case x }\n var two: Two }\nprivate enum Kind {}",
            "B/Two.swift": "struct Two { enum State {}\n var state: State\n var kind: Kind? = nil }\nenum Kind {}",
            "B/Three.swift": "struct Three { let other = Other.One() }",
        }
        self.assertEqual(self.pairs(files), [])

    def test_an_allowance_of_no_target_is_told(self):
        target = self.target("Made", {"A/One.swift": "struct One {}"})
        self.assertEqual(len(checks.check_folders([target], allowed={"Gone": 1})), 1)

    def test_imports_and_declarations_have_to_agree(self):
        target = self.target(
            "Made", {"One.swift": "import Foundation\n@testable import Seen\nimport struct Undeclared.Type\n"},
            dependencies=["Seen"], products=["Unused"],
        )
        faults = checks.check_imports([target])
        self.assertEqual(len(faults), 2)
        self.assertIn("imports Undeclared", faults[0])
        self.assertIn("declares Unused", faults[1])

    def test_what_is_reached_through_other_targets_counts(self):
        targets = [
            self.target("EdgeProxy", {}, dependencies=["Middle"]),
            self.target("Middle", {}, dependencies=["Deep"]),
            self.target("Deep", {}, products=["JWTKit", "Logging"]),
        ]
        self.assertEqual(checks.check_closure(targets), ["EdgeProxy needs JWTKit"])

    def test_the_table_has_to_say_what_the_package_says(self):
        targets = [self.target("One", {}, dependencies=["Two"]), self.target("Two", {})]
        head = "| module | folder | what it is | imports of ours |\n|---|---|---|---|\n"
        good = "| `One` | `Sources/One` | one | `Two` |\n| `Two` | `Sources/Two` | two | none |\n"
        self.assertEqual(checks.check_table(targets, head + good), [])
        wrong_import = good.replace("| `Two` |\n| ", "| none |\n| ")
        wrong_folder = good.replace("`Sources/Two`", "`Sources/2`")
        stranger = good.replace("| `Two` | `Sources/Two`", "| `Three` | `Sources/Two`")
        for document, count in ((wrong_import, 1), (wrong_folder, 1), (stranger, 2), ("", 2)):
            self.assertEqual(len(checks.check_table(targets, head + document)), count, document)
