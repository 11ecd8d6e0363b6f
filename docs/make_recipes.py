"""Write `recipes.md` from the recipes' docstrings. Run: python make_recipes.py"""

from pathlib import Path

from ssgan.recipes.page import page

if __name__ == "__main__":
    (Path(__file__).parent / "recipes.md").write_text(page(), encoding="utf-8")
