"""Faces we draw ourselves, in the data sets' own layouts, with exact truth over time.

`affectnet.write_affectnet` draws pictures, `savee.write_savee` clips, `scene.write_scene` a video
of changing emotions. They let every part of the program run and be checked where no data set can
be had. What is measured on them is about the program, never about faces.
"""
