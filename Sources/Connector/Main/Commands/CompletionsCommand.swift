// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `culvert completions SHELL`: what makes a shell complete commands, options and files.
struct CompletionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print a completion script for bash, zsh or fish.",
        discussion: """
            Examples:
              culvert completions bash > ~/.local/share/bash-completion/completions/culvert
              culvert completions zsh > ~/.zfunc/_culvert
              culvert completions fish > ~/.config/fish/completions/culvert.fish
            """
    )

    /// A shell that is known.
    enum Shell: String, CaseIterable, ExpressibleByArgument {
        case bash
        case zsh
        case fish
    }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() async throws {
        StandardStream.output.writeLine(Self.script(for: self.shell))
    }

    /// The script for a shell.
    static func script(for shell: Shell) -> String {
        switch shell {
        case .bash: CulvertCommand.completionScript(for: .bash)
        case .zsh: CulvertCommand.completionScript(for: .zsh)
        case .fish: CulvertCommand.completionScript(for: .fish)
        }
    }
}
