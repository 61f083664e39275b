"""Turns what an asker knows of an ensemble into rows that people look at.

members     list_members(): each member with its models, skill, drift and shadow comparison
matrix      list_scores(): the cross-validation matrix of the models that answer now
questions   QuestionLog: the questions that were asked here, and how long they took
"""
