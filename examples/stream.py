"""Events as they happen, in async code: who is asked, what each reads out, how the vote went."""

from __future__ import annotations

import asyncio

from proxycouncil import Council


async def main() -> None:
    """Follow one question."""
    async with Council.starter() as council:
        async for event in council.astream("What is a migraine?"):
            match event.type:
                case "route":
                    print("asking", ", ".join(event.route["members"]))
                case "ballot":
                    ballot = event.ballot
                    print(f"{ballot['member']} ({ballot['slate']}): {ballot['text'] or ballot['status']}")
                case "vote":
                    for group in event.tally["groups"]:
                        print(f"{group['weight']:.2f} for “{group['text']}” by {', '.join(group['members'])}")
                case "decision":
                    print(f"{event.outcome}: {event.text or event.reason}")


if __name__ == "__main__":
    asyncio.run(main())
