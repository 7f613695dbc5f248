"""The C{kernelnet} command as a process: Ctrl-C ends it quietly from its first moment on."""

from kernelnet import interrupt

__all__ = ["main"]


def main() -> None:
    interrupt.quietly()
    from kernelnet.cli import main as command

    command()


if __name__ == "__main__":
    main()
