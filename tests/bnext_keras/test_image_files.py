"""Which files are images."""

from bnext_keras.image_files import find_images


def test_images_are_found_by_their_names(tmp_path):
    for name in ("b.PNG", "a.jpg", ".c.png", "d.txt"):
        (tmp_path / name).touch()
    assert [file.name for file in find_images(tmp_path)] == ["a.jpg", "b.PNG"]
