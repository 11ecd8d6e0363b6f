"""What a run, or a folder of images, is worth: numbers with their protocol, and pictures.

`quality.evaluate` measures one side against another. A side (`sides`) gives images by number, an
extractor (`extractor`) makes rows of features of them, `gather` keeps the rows on disk as it goes,
so that an interrupted evaluation continues. The mathematics is in `ssgan.metrics`.

`probe` and `blocks` tell what D knows: linear classifiers on its features, block by block.
"""
