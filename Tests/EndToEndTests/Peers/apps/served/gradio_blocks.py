# SPDX-License-Identifier: Apache-2.0
"""A Gradio app with a generator and an upload.

    gradio_blocks.py PORT [BASE]"""

import os
import sys
import time

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
import gradio


def greet(name):
    for part in range(1, 4):
        time.sleep(0.1)
        yield f"part {part} for {name}"


with gradio.Blocks() as blocks:
    name, greeting = gradio.Textbox(label="name"), gradio.Textbox(label="greeting")
    gradio.Button("Run").click(greet, name, greeting)
    file, size = gradio.File(label="file"), gradio.Textbox(label="size")
    file.change(lambda path: str(os.path.getsize(path)) if path else "", file, size)

base = sys.argv[2] if len(sys.argv) > 2 else None
blocks.queue().launch(server_name="localhost", server_port=int(sys.argv[1]), root_path=base)
